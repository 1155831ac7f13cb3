"""The review page as an ASGI app: addresses, and answers to what goes wrong.

Pictures are made in threads of their own, so that a verdict never waits behind a hundred thumbnails.
"""

import asyncio
import functools
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from okulo.core.errors import BadInput
from okulo.core.report import to_json
from okulo.curate.verdicts import Conflict
from okulo.web.body import read_object
from okulo.web.files import HEADERS, STATIC, TYPES, Files, with_headers
from okulo.web.placeholder import placeholder
from okulo.web.review.site import Site, read_rows, told
from okulo.web.review.table import EVERY, Where
from okulo.web.thumbnails import SIZES

T = TypeVar("T")
MAX_BODY = 1 << 20
PRIVATE = {**HEADERS, "cross-origin-resource-policy": "same-origin", "permissions-policy": "camera=()"}
FRESH = {"cache-control": "no-store"}
log = logging.getLogger("okulo.review")


class _Answers:
    """The addresses below `/api/`, and the pictures."""

    def __init__(self, site: Site, pictures: ThreadPoolExecutor, other: ThreadPoolExecutor) -> None:
        self.site, self.pictures, self.other = site, pictures, other

    async def aside(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run in a thread; only what may take long or touches the disk."""
        return await asyncio.get_running_loop().run_in_executor(
            self.other, functools.partial(call, *arguments)
        )

    async def summary(self, request: Request) -> Response:
        return _json(await self.aside(self.site.summary))

    async def queue(self, request: Request) -> Response:
        rows = await self.aside(self.site.queue, _where(request), request.query_params.get("state", EVERY))
        return Response(rows.astype("<i4").tobytes(), media_type="application/octet-stream", headers=FRESH)

    async def progress(self, request: Request) -> Response:
        return _json(await self.aside(self.site.progress, _where(request)))

    async def items(self, request: Request) -> Response:
        return _json(await self.aside(self.site.items, read_rows(request.query_params.get("rows", ""))))

    async def groups(self, request: Request) -> Response:
        asked = request.query_params
        listed = await self.aside(self.site.groups, asked.get("kind", EVERY), asked.get("state", EVERY))
        return _json({"groups": listed, "progress": await self.aside(self.site.group_progress)})

    async def group(self, request: Request) -> Response:
        return _json(await self.aside(self.site.group, request.path_params["place"]))

    async def points(self, request: Request) -> Response:
        placed = await self.aside(self.site.map, request.query_params.get("method", "pca"))
        return Response(placed.astype("<u2").tobytes(), media_type="application/octet-stream", headers=FRESH)

    async def codes(self, request: Request) -> Response:
        counts, codes = await self.aside(self.site.codes, request.query_params.get("by", "label"))
        names = json.dumps(counts).encode()
        body = len(names).to_bytes(4, "little") + names + codes.astype("<i4").tobytes()
        return Response(body, media_type="application/octet-stream", headers=FRESH)

    async def neighbours(self, request: Request) -> Response:
        asked = request.query_params
        row, count = _whole(asked.get("row", "")), _whole(asked.get("count", "200"))
        return _json(await self.aside(self.site.neighbours, row, count))

    async def find(self, request: Request) -> Response:
        return _json(
            {"rows": await self.aside(self.site.table.find, request.query_params.get("text", "")[:500])}
        )

    async def verdicts(self, request: Request) -> Response:
        said = await read_object(request, MAX_BODY)
        decisions, who = said.get("decisions"), said.get("who") or self.site.who
        if not isinstance(decisions, list) or not all(isinstance(each, dict) for each in decisions):
            raise BadInput("decisions", wanted="a list of objects", got=type(decisions).__name__)
        stored = await self.aside(self.site.held.decide, decisions, who)
        return _json({"verdicts": [told(each) for each in stored]})

    async def undo(self, request: Request) -> Response:
        said = await read_object(request, MAX_BODY)
        undone = await self.aside(self.site.held.undo, said.get("who") or self.site.who)
        rows = [row for each in undone for row in self.site.table.rows_of.get(each.item, ())]
        return _json({"verdicts": [told(each) for each in undone], "rows": rows})

    async def changes(self, request: Request) -> Response:
        since = _whole(request.query_params.get("since", "0"))
        changed = await self.aside(self.site.held.changes, since)
        told_of = [
            {**told(each), "rows": list(self.site.table.rows_of.get(each.item, ()))}
            for each in changed[-500:]
        ]
        return _json({"newest": self.site.held.newest, "verdicts": told_of})

    async def picture(self, request: Request) -> Response:
        row, longest = request.path_params["row"], request.path_params["longest"]
        if longest not in SIZES or not 0 <= row < len(self.site.table):
            raise HTTPException(404, "no such picture")
        path = self.site.table.frame["path"][row]
        run = asyncio.get_running_loop().run_in_executor
        try:
            copy = await run(self.pictures, self.site.thumbnails.get, path, longest)
        except BadInput as error:
            return placeholder(str(error).partition(": ")[2])
        headers = {"etag": f'"{copy.tag}"', "cache-control": "private, max-age=3600"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(copy.data, media_type=copy.media_type, headers=headers)

    async def difference(self, request: Request) -> Response:
        run = asyncio.get_running_loop().run_in_executor
        drawn, apart = await run(
            self.pictures, self.site.difference, request.path_params["a"], request.path_params["b"]
        )
        headers = {"x-apart": f"{apart:.2f}", "cache-control": "private, max-age=3600"}
        return Response(drawn, media_type="image/png", headers=headers)


def make_app(site: Site, *, decoders: int = 2) -> ASGIApp:
    """Make the app; who may ask is the business of `guard`."""
    pictures = ThreadPoolExecutor(decoders, "picture")
    answers = _Answers(site, pictures, ThreadPoolExecutor(4, "answer"))

    def home(request: Request) -> Response:
        return FileResponse(
            STATIC / "review.html", media_type=TYPES[".html"], headers={"cache-control": "no-cache"}
        )

    asked = ("summary", "queue", "progress", "items", "groups", "neighbours", "find", "changes")
    app = Starlette(
        routes=[
            Route("/", home),
            *(Route(f"/api/{name}", getattr(answers, name)) for name in asked),
            Route("/api/groups/{place:int}", answers.group),
            Route("/api/map/points", answers.points),
            Route("/api/map/codes", answers.codes),
            Route("/api/verdicts", answers.verdicts, methods=["POST"]),
            Route("/api/undo", answers.undo, methods=["POST"]),
            Route("/picture/{row:int}/{longest:int}", answers.picture),
            Route("/difference/{a:int}/{b:int}", answers.difference),
            Mount("/static", Files(directory=STATIC)),
        ],
        exception_handlers={BadInput: _bad, Conflict: _conflict, HTTPException: _refuse, Exception: _bug},
    )
    return with_headers(app, PRIVATE)


def _json(said: Any, status: int = 200) -> Response:
    return JSONResponse(to_json(said), status, headers=FRESH)


def _bad(request: Request, error: Exception) -> Response:
    return _json({"error": str(error)}, 400)


def _conflict(request: Request, error: Exception) -> Response:
    assert isinstance(error, Conflict)
    return _json({"error": str(error), "held": told(error.held) if error.held else None}, 409)


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail}, error.status_code)


def _bug(request: Request, error: Exception) -> Response:
    return _json({"error": "the server failed at this; its log says more"}, 500)


def _where(request: Request) -> Where:
    asked = request.query_params
    return Where(*(asked.get(name, EVERY) for name in ("split", "label", "issue")))


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadInput("number", wanted="a whole number", got=repr(text[:40])) from error
