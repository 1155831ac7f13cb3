"""Bare HTTP over ASGI for the hot paths: bodies read within bounds, errors in one shape, answers sent."""

import asyncio
import contextvars
import gzip
import hmac
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from okulo.core.errors import BadInput
from okulo.serve.refusals import Full, Gone, Late, Refused

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = dict[bytes, bytes]

SMALL = 65536
"""uvicorn holds that much of a body before it stops reading; more is counted while it comes."""
WORTH_PACKING = 1024
"""A shorter answer is sent as it is."""
JSON = b"application/json"
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""The request being answered, for the log."""


class TooLarge(Refused):
    """The body is longer than allowed, as it came or unpacked."""

    status = 413
    reason = "too large"


class Unauthorized(Refused):
    """No key, or a wrong one."""

    status = 401
    text = "this server wants an API key: Authorization: Bearer …, or X-API-Key"
    reason = "key"


@dataclass(slots=True)
class Reply:
    """What is sent back."""

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


def check_key(headers: Headers, key: str) -> None:
    """Raise Unauthorized unless the request carries the key; the comparison takes the same time for any."""
    said = headers.get(b"x-api-key", b"")
    if not said:
        scheme, _, said = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer":
            said = b""
    if not hmac.compare_digest(said.strip(), key.encode()):
        raise Unauthorized


def connection_lost(receive: Receive) -> Callable[[], bool] | None:
    """A question that costs nothing: has this client hung up? None where the server does not let us ask.

    uvicorn's `receive` is a method of the request's cycle, which knows; elsewhere one has to wait for
    `http.disconnect` (see `until_lost`).
    """
    cycle = getattr(receive, "__self__", None)
    if not isinstance(getattr(cycle, "disconnected", None), bool):
        return None
    return lambda: bool(cycle.disconnected)  # type: ignore[union-attr]  # asked just above


class Reading:
    """Reads bodies; what is on its way in at any time is bounded."""

    def __init__(self, max_body_bytes: int, max_bytes: int, timeout_s: float) -> None:
        self.max_body_bytes = max_body_bytes
        self.max_bytes = max_bytes
        self.timeout_s = timeout_s
        self.bytes = 0

    async def body(self, receive: Receive, headers: Headers) -> bytes:
        """Read a whole body, unpacked; TooLarge, Full, Late or Gone if that cannot be."""
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > self.max_body_bytes:
            raise self._too_large()
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        data: bytes = message.get("body", b"")
        if message.get("more_body", False):
            data = await self._rest(data, receive)
        if len(data) > self.max_body_bytes:
            raise self._too_large()
        coding = headers.get(b"content-encoding", b"identity").strip().lower()
        if coding in (b"identity", b""):
            return data
        if len(data) <= SMALL:
            return unpacked(data, coding, self.max_body_bytes)
        return await asyncio.to_thread(unpacked, data, coding, self.max_body_bytes)

    async def _rest(self, first: bytes, receive: Receive) -> bytes:
        data, counted = bytearray(first), 0
        try:
            async with asyncio.timeout(self.timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    data += message.get("body", b"")
                    self.bytes += len(data) - counted
                    counted = len(data)
                    if counted > self.max_body_bytes:
                        raise self._too_large()
                    if self.bytes > self.max_bytes and self.bytes > counted:
                        raise Full("too many bodies are on their way in", retry_after_s=1)
                    if not message.get("more_body", False):
                        return bytes(data)
        except TimeoutError:
            raise Late("the body did not come in time") from None
        finally:
            self.bytes -= counted

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body may have at most {self.max_body_bytes:,} bytes")


def unpacked(data: bytes, coding: bytes, max_bytes: int) -> bytes:
    """Undo gzip or deflate; never makes more than `max_bytes`.

    >>> unpacked(gzip.compress(bytes(10)), b"gzip", 100) == bytes(10)
    True
    """
    if coding not in (b"gzip", b"deflate"):
        raise BadInput(
            "content-encoding", wanted="gzip, deflate or identity", got=repr(coding.decode("latin1"))
        )
    last: Exception = BadInput("body", "is empty")
    for window in (31,) if coding == b"gzip" else (15, -15):  # deflate: with zlib's frame, or bare
        unpacker = zlib.decompressobj(window)
        try:
            made = unpacker.decompress(data, max_bytes + 1)
        except zlib.error as error:
            last = error
            continue
        if len(made) > max_bytes:
            raise TooLarge(f"the body may have at most {max_bytes:,} bytes, unpacked")
        if unpacker.eof:
            return made
        last = BadInput("body", "ends in the middle")
    raise BadInput("body", f"is not {coding.decode()} ({last})")


def packed_as(body: bytes, accepted: bytes) -> tuple[bytes, bytes]:
    """Pack an answer as the client accepts, and say how (nothing: as it is)."""
    if len(body) < WORTH_PACKING or not accepted:
        return body, b""
    for coding in accepted.lower().split(b","):
        name, _, quality = coding.strip().partition(b";")
        if quality.strip() in (b"q=0", b"q=0.0"):
            continue
        if name == b"gzip":
            return gzip.compress(body, 1, mtime=0), b"gzip"
        if name == b"deflate":
            return zlib.compress(body, 1), b"deflate"
    return body, b""


def error_reply(error: Exception) -> Reply:
    """Say an error in the protocol's shape; what is no refusal and no bad input stays in the log."""
    if isinstance(error, Refused):
        reply = Reply(orjson.dumps({"error": str(error)}), error.status)
        if error.retry_after is not None:
            reply.headers.append((b"retry-after", str(error.retry_after).encode()))
        if error.status == 401:
            reply.headers.append((b"www-authenticate", b"Bearer"))
        return reply
    if isinstance(error, BadInput):
        return Reply(orjson.dumps({"error": str(error)}), 400)
    return Reply(orjson.dumps({"error": f"failed here: {type(error).__name__}: {error}"[:500]}), 500)


async def send_reply(send: Send, reply: Reply) -> None:
    """Send it."""
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
