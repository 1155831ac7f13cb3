"""The hot paths as a bare ASGI application: inference and prediction; everything else goes to `cold`."""

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from okulo.core.errors import BadInput
from okulo.serve import openinference as v2
from okulo.serve.decode import Prepared, Seen
from okulo.serve.http import (
    App,
    Headers,
    Reading,
    Receive,
    Reply,
    Scope,
    Send,
    check_key,
    connection_lost,
    error_reply,
    packed_as,
    request_id,
    send_reply,
)
from okulo.serve.models import Served
from okulo.serve.predict import TOP, describe, read_pictures
from okulo.serve.refusals import Refused
from okulo.serve.service import Mailbox, Outcome, Service, ask
from okulo.serve.stages import NO_ORDER

log = logging.getLogger("okulo.serve")
HEADER_LENGTH = b"inference-header-content-length"
URGENT_WORDS = ("high", "1")
MAX_TOP = 1000


class Front:
    """Answers `…/infer` and `…/predict`; checks the key for every path but the open ones."""

    def __init__(
        self,
        service: Service,
        cold: App,
        *,
        key: str = "",
        open_paths: Sequence[str] = ("/v2/health/",),
        log_requests: bool = False,
    ) -> None:
        self._service = service
        self._cold = cold
        self._key = key
        self._open = tuple(open_paths)
        self._log_requests = log_requests
        self._reading = Reading(
            service.limits.max_body_bytes, service.plan.max_bytes, service.limits.timeout_s
        )
        self._mailbox: Mailbox | None = None
        self._ids = count(1)
        self._id_start = secrets.token_hex(4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._cold(scope, receive, send)
            return
        path: str = scope["path"]
        named = hot_path(path)
        headers: Headers = dict(scope["headers"])
        if named is None:
            try:
                if self._key and not path.startswith(self._open) and scope["method"] != "OPTIONS":
                    check_key(headers, self._key)
            except Refused as error:
                self._service.metrics.reject(error.reason)
                await send_reply(send, error_reply(error))
                return
            await self._cold(scope, receive, send)
            return
        started = time.monotonic()
        identity = self._identify(headers)
        model = ""
        try:
            if scope["method"] != "POST":
                reply = Reply(b'{"error":"use POST"}', 405, headers=[(b"allow", b"POST")])
            else:
                if self._key:
                    check_key(headers, self._key)
                served = self._service.find(*named[1:])
                model = served.name
                handle = self._infer if named[0] == "infer" else self._predict
                served.held += 1
                try:
                    reply = await handle(served, scope, headers, receive)
                finally:
                    served.held -= 1
        except Exception as error:  # whatever it is, the client gets an answer
            reply = self._explain(error)
        reply.headers.append((b"x-request-id", identity))
        seconds = time.monotonic() - started
        self._service.metrics.request(model, str(reply.status), seconds)
        if self._log_requests:
            ms = round(seconds * 1000, 3)
            log.info("%s %s", path, reply.status, extra={"status": reply.status, "ms": ms, "model": model})
        await send_reply(send, reply)

    def _identify(self, headers: Headers) -> bytes:
        said = headers.get(b"x-request-id", b"")
        if not (0 < len(said) <= 128 and said.isascii() and said.decode().isprintable()):
            said = f"{self._id_start}-{next(self._ids):x}".encode()
        request_id.set(said.decode())
        return said

    def _explain(self, error: Exception) -> Reply:
        if isinstance(error, Refused):
            self._service.metrics.reject(error.reason)
        elif not isinstance(error, BadInput):
            log.error("a request failed", exc_info=error)
        return error_reply(error)

    async def _ask(
        self,
        served: Served,
        values: Sequence[Any],
        sizes: Sequence[int],
        receive: Receive,
        start: int,
        timeout_s: float | None,
        urgent: bool,
    ) -> list[Outcome]:
        if self._mailbox is None:
            self._mailbox = Mailbox(asyncio.get_running_loop())
        lost = connection_lost(receive)
        waiter: asyncio.Task[None] | None = None
        if lost is None:
            waiter = asyncio.ensure_future(until_lost(receive))
            lost = waiter.done
        limit_s = self._service.limits.timeout_s
        try:
            return await ask(
                served.pipeline,
                values,
                sizes,
                mailbox=self._mailbox,
                timeout_s=limit_s if timeout_s is None else min(timeout_s, limit_s),
                start=start,
                urgent=urgent,
                disconnected=lost,
            )
        finally:
            if waiter is not None:
                waiter.cancel()

    async def _infer(self, served: Served, scope: Scope, headers: Headers, receive: Receive) -> Reply:
        """Open Inference Protocol v2: `image` goes through all stages, `pixels` starts at the network."""
        served.pipeline.check_room(1, 0, NO_ORDER)
        body = await self._reading.body(receive, headers)
        said = headers.get(HEADER_LENGTH)
        if said is not None and not said.isdigit():
            raise BadInput(
                "Inference-Header-Content-Length", wanted="a whole number", got=said.decode("latin1")
            )
        asking = v2.read_request(body, None if said is None else int(said))
        v2.check_outputs(asking, served)
        arrays = v2.as_values(asking, served, self._service.limits.max_images)
        values: Sequence[Any] = arrays
        start = 0
        if asking.name == "pixels":
            start, (height, width) = 1, served.info.preprocess.size
            values = [Prepared(each, height, width) for each in arrays]
        sizes = [each.nbytes for each in arrays]
        outcomes = await self._ask(served, values, sizes, receive, start, asking.timeout_s, asking.urgent)
        seen = [_or_raise(each) for each in outcomes]
        self._count(served, seen)
        columns: dict[str, Sequence[Any]] = {
            each.name: [one.answer[each.name] for one in seen] for each in served.outputs
        }
        if served.has_result:
            columns["result"] = [one.result for one in seen]
        text, tensors = v2.write_response(asking, served, columns)
        reply = Reply(text)
        if tensors:
            reply = Reply(b"".join((text, *tensors)), content_type=b"application/octet-stream")
            reply.headers.append((HEADER_LENGTH, str(len(text)).encode()))
        return _packed(reply, headers)

    async def _predict(self, served: Served, scope: Scope, headers: Headers, receive: Receive) -> Reply:
        """Pictures as files: each gets its own answer or its own error."""
        served.pipeline.check_room(1, 0, NO_ORDER)
        wishes = read_wishes(scope["query_string"])
        body = await self._reading.body(receive, headers)
        kind = headers.get(b"content-type", b"").decode("latin1")
        pictures = read_pictures(body, kind, self._service.limits.max_images)
        unknown = set(wishes.outputs) - {each.name for each in served.outputs}
        if unknown:
            raise BadInput("outputs", wanted=", ".join(o.name for o in served.outputs), got=min(unknown))
        sizes = [len(each) for each in pictures]
        outcomes = await self._ask(served, pictures, sizes, receive, 0, wishes.timeout_s, wishes.urgent)
        if len(outcomes) == 1:
            _or_raise(outcomes[0])
        self._count(served, [each for each in outcomes if isinstance(each, Seen)])
        answers = [
            describe(each, served.info, wishes.top, wishes.outputs)
            if isinstance(each, Seen)
            else {"error": _said_of(self._explain(each))}
            for each in outcomes
        ]
        threshold = served.info.threshold.value if served.info.threshold else None
        said = {"model": served.name, "version": served.version, "threshold": threshold, "answers": answers}
        return _packed(Reply(orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY)), headers)

    def _count(self, served: Served, seen: Sequence[Seen]) -> None:
        threshold = served.info.threshold
        if not seen or "probabilities" not in seen[0].answer:
            return
        unknown = 0
        if threshold is not None:
            limit = threshold.value
            unknown = sum(float(each.answer["probabilities"].max()) < limit for each in seen)
        self._service.metrics.answers(served.name, len(seen) - unknown, unknown)


class Wishes:
    """What the query string asks for: `top`, `timeout_ms`, `priority=high`, `outputs=embedding,…`."""

    __slots__ = ("outputs", "timeout_s", "top", "urgent")

    def __init__(self) -> None:
        self.top = TOP
        self.timeout_s: float | None = None
        self.urgent = False
        self.outputs: tuple[str, ...] = ()


def read_wishes(query: bytes) -> Wishes:
    """Read the query string.

    >>> read_wishes(b"top=2&timeout_ms=500&priority=high").timeout_s
    0.5
    """
    wishes = Wishes()
    if not query:
        return wishes
    said = {name: values[-1] for name, values in parse_qs(query.decode("latin1")).items()}
    if "top" in said:
        wishes.top = int(_number("top", said["top"], 0, MAX_TOP))
    if "timeout_ms" in said:
        wishes.timeout_s = _number("timeout_ms", said["timeout_ms"], 1, 3_600_000) / 1000
    wishes.urgent = said.get("priority", "") in URGENT_WORDS
    wishes.outputs = tuple(filter(None, said.get("outputs", "").split(",")))
    return wishes


def _number(name: str, text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit()) or not low <= int(text[:10]) <= high:
        raise BadInput(name, wanted=f"a whole number, {low} to {high}", got=repr(text)[:80])
    return int(text)


def hot_path(path: str) -> tuple[str, str, str] | None:
    """Split a hot path into what is asked, the model and its version.

    >>> hot_path("/v2/models/cat/versions/3/infer"), hot_path("/v1/models/cat/predict"), hot_path("/metrics")
    (('infer', 'cat', '3'), ('predict', 'cat', ''), None)
    """
    if path.endswith("/infer") and path.startswith("/v2/models/"):
        what = "infer"
    elif path.endswith("/predict") and path.startswith("/v1/models/"):
        what = "predict"
    else:
        return None
    parts = path.split("/")
    if len(parts) == 5:
        return what, unquote(parts[3]), ""
    if len(parts) == 7 and parts[4] == "versions":
        return what, unquote(parts[3]), unquote(parts[5])
    return None


async def until_lost(receive: Receive) -> None:
    """Wait until the client hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _or_raise(outcome: Outcome) -> Seen:
    if isinstance(outcome, Exception):
        raise outcome
    seen: Seen = outcome
    return seen


def _said_of(reply: Reply) -> str:
    return str(orjson.loads(reply.body)["error"])


def _packed(reply: Reply, headers: Headers) -> Reply:
    body, coding = packed_as(reply.body, headers.get(b"accept-encoding", b""))
    if coding:
        reply.body = body
        reply.headers += [(b"content-encoding", coding), (b"vary", b"accept-encoding")]
    return reply
