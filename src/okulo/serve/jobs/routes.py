"""`/jobs`: hand over many pictures, see how far they are, fetch the result."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as InPath
from fastapi.responses import JSONResponse, Response, StreamingResponse

from okulo.core.errors import BadInput
from okulo.serve.jobs.intake import (
    Bounds,
    FormWriter,
    chunks_of,
    is_form,
    name_paths,
    read_json,
    write_images,
)
from okulo.serve.jobs.pack import SUFFIX, Spool
from okulo.serve.jobs.records import Job, NewItem, NewJob
from okulo.serve.jobs.results import PARQUET, as_json, as_parquet, wants_parquet
from okulo.serve.jobs.store import JobStore, new_id
from okulo.serve.jobs.work import Workers
from okulo.serve.models import Served
from okulo.serve.refusals import Full, Refused
from okulo.serve.service import Service

log = logging.getLogger("okulo.serve.jobs")
UPLOADS = 8
"""So many jobs are taken in at once; more are told to come again."""
BUSY_S = 30.0
Id = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="the job's id")]


@asynccontextmanager
async def _in_thread(manager: AbstractContextManager[BinaryIO]) -> AsyncIterator[BinaryIO]:
    """Enter and leave off the event loop: leaving waits for the disk."""
    stream = await asyncio.to_thread(manager.__enter__)
    try:
        yield stream
    except BaseException as error:
        await asyncio.to_thread(manager.__exit__, type(error), error, error.__traceback__)
        raise
    await asyncio.to_thread(manager.__exit__, None, None, None)


class NotEnded(Refused):
    """There is no whole result yet."""

    status = 409
    reason = "not ended"


@dataclass
class Desk:
    """Where jobs are handed in and asked after."""

    service: Service
    store: JobStore
    spool: Spool | None
    workers: Workers
    roots: tuple[Path, ...] = ()
    bounds: Bounds = field(default_factory=Bounds)
    max_open_bytes: int = 20 << 30
    """Pictures of jobs that have not ended take no more than this."""
    coming: int = 0

    async def take(self, request: Request, new: NewJob) -> Job:
        """Take in a job; when this returns it is on the disk, pictures and all."""
        if self.coming >= UPLOADS:
            raise Full("too many jobs are on their way in", retry_after_s=1)
        self.coming += 1
        try:
            await asyncio.to_thread(self._check_room)
            headers = dict(request.scope["headers"])
            paths: list[str] = []
            images: list[str] = []
            form = is_form(headers)
            if not form:
                body = bytearray()
                await chunks_of(request.receive, self.bounds, body, self.service.limits.max_body_bytes)
                kind, listed = read_json(bytes(body), self.bounds)
                paths, images = (listed, images) if kind == "paths" else (paths, listed)
            if paths:
                items: Sequence[NewItem] = await asyncio.to_thread(name_paths, paths, self.roots)
                return await self._add(new, items, "")
            return await self._take_pictures(request, new, images)
        finally:
            self.coming -= 1

    async def _take_pictures(self, request: Request, new: NewJob, images: Sequence[str]) -> Job:
        if self.spool is None:
            raise BadInput("pictures", "this server takes paths only", hint="--jobs-spool keeps pictures")
        pack = new.id + SUFFIX
        async with _in_thread(self.spool.writing(pack)) as stream:
            if images:
                items = await asyncio.to_thread(write_images, images, stream, self.bounds)
            else:
                writer = FormWriter(request.headers.get("content-type", ""), stream, self.bounds)
                await chunks_of(request.receive, self.bounds, writer, self.bounds.max_bytes)
                items = writer.close()
            if not items:
                raise BadInput("form", wanted="at least one picture", got="none")
        try:
            job = await self._add(new, items, pack)
        except BaseException:
            self.spool.remove(pack)
            raise
        if job.id != new.id:  # the same request had come before
            self.spool.remove(pack)
        return job

    async def _add(self, new: NewJob, items: Sequence[NewItem], pack: str) -> Job:
        whole = NewJob(**{**vars(new), "items": items, "pack": pack})
        job = await asyncio.to_thread(self.store.add, whole)
        self.workers.hurry()
        return job

    def _check_room(self) -> None:
        if self.store.open_items()[1] > self.max_open_bytes:
            raise Full("the pictures of jobs take as much room as they may", retry_after_s=BUSY_S)

    def model(self, name: str, version: str) -> Served:
        """The model a job is for; without a name, the only one."""
        if not name:
            if len(self.service.models) != 1:
                raise BadInput("model", wanted=f"one of {', '.join(sorted(self.service.models))}", got="none")
            name = next(iter(self.service.models))
        return self.service.find(name, version)


ERROR = "#/components/schemas/Error"
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {"application/json": {"schema": {"$ref": ERROR}}}}
    for code, text in {
        400: "the request cannot be used; `error` says what was wanted and got",
        401: "no API key, or a wrong one",
        404: "no such job or model",
        409: "the job has not ended yet",
        413: "more than one job may hold",
        429: "as much waits as may; `Retry-After` says when to come again (seconds)",
        503: "the job store cannot be used now",
        504: "the body did not come in time",
        507: "the disk is full",
    }.items()
}  # fmt: skip


def _errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: ERRORS[code] for code in (400, 401, 503, *codes)}


BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"image": {"type": "string", "format": "binary"}}}
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "images": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "description": "base64, or a data: URL"},
                        },
                        "paths": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "description": "under the server's --jobs-root"},
                        },
                    },
                }
            },
        },
    }
}


def make_router(desk: Desk) -> APIRouter:
    """Make the router of `/jobs`."""
    router = APIRouter()

    @router.post("/jobs", status_code=202, openapi_extra=BODY, responses=_errors(404, 413, 429, 504, 507))
    async def submit_job(
        request: Request,
        model: Annotated[str, Query(description="which model; may be left out where there is one")] = "",
        version: Annotated[str, Query(description="which version; default: the newest")] = "",
        top: Annotated[int, Query(ge=0, le=1000, description="how many classes to list")] = 5,
        outputs: Annotated[str, Query(description="further outputs to keep, comma-separated")] = "",
        idempotency_key: Annotated[str, Header(max_length=200, description="sent again: same job")] = "",
    ) -> Job:
        """Hand over pictures: a form with the files, or JSON with base64 or with paths."""
        served = desk.model(model, version)
        wanted = tuple(filter(None, outputs.split(",")))
        known = [each.name for each in served.outputs]
        if set(wanted) - set(known):
            raise BadInput("outputs", wanted=", ".join(known), got=outputs[:80])
        if idempotency_key:
            before = await asyncio.to_thread(desk.store.asked_before, idempotency_key)
            if before is not None:
                return before
        new = NewJob(
            id=new_id(), model=served.name, version=served.version, items=(), top=top, outputs=wanted,
            request_key=idempotency_key,
        )  # fmt: skip
        return await desk.take(request, new)

    @router.get("/jobs", responses=_errors(404))
    def list_jobs(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[str, Query(description="id of a job: those made before it")] = "",
    ) -> list[Job]:
        """The jobs, newest first."""
        return desk.store.every(limit=limit, before=before)

    @router.get("/jobs/{id}", responses=_errors(404))
    def job_state(id: Id) -> Job:
        """How far a job is."""
        return desk.store.get(id)

    _add_rest(router, desk)
    return router


def _add_rest(router: APIRouter, desk: Desk) -> None:
    kinds = {"application/json": {"schema": {"type": "object"}}, PARQUET: {"schema": {"type": "string"}}}
    whole: dict[int | str, dict[str, Any]] = {
        200: {"description": "the result; Parquet where `Accept` asks for it", "content": kinds}
    }

    @router.get("/jobs/{id}/results", response_class=Response, responses={**whole, **_errors(404, 409)})
    def job_results(
        id: Id,
        accept: Annotated[str, Header()] = "",
        partial: Annotated[bool, Query(description="also while the job runs: what is done")] = False,
    ) -> Response:
        """The result: one row a picture, in the order they were handed over."""
        job = desk.store.get(id)
        if job.ended_s is None and not partial:
            raise NotEnded(f"{job.done + job.failed} of {job.items} are done", retry_after_s=2)
        rows = desk.store.rows(id, finished_only=partial)
        if wants_parquet(accept):
            name = {"content-disposition": f'attachment; filename="{id}.parquet"', "vary": "accept"}
            return Response(as_parquet(rows), media_type=PARQUET, headers=name)
        pieces = as_json(job, rows, desk.store.outputs(id))
        return StreamingResponse(pieces, media_type="application/json", headers={"vary": "accept"})

    @router.post("/jobs/{id}/cancel", responses=_errors(404))
    def cancel_job(id: Id) -> Job:
        """Begin no more of it; what is done stays in its result."""
        return desk.store.cancel(id)

    @router.delete("/jobs/{id}", responses=_errors(404))
    def remove_job(id: Id) -> JSONResponse:
        """Forget a job and its results; one that runs is cancelled."""
        desk.store.remove(id)
        return JSONResponse({"removed": id})
