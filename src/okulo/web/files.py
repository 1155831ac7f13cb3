"""Static files of the pages, with types we say ourselves, and the headers every page carries."""

from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(__file__).with_name("static")

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
"""Said by us: what Python's own table says differs from system to system, and modules need the right one."""

HEADERS = {
    # Isolation is what lets WebAssembly use threads.
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    # No request leaves for another host, whatever a picture, a file name or a dependency holds.
    "content-security-policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; worker-src 'self';"
        " connect-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; form-action 'none';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "camera=(self), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Files(StaticFiles):
    """Static files with types we say ourselves; where `name.gz` lies beside `name` it is sent."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Find the file, or raise 404."""
        packed = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        if packed and (STATIC / f"{path}.gz").is_file():
            response = await super().get_response(f"{path}.gz", scope)
            response.headers["content-encoding"] = "gzip"
        else:
            response = await super().get_response(path, scope)
        response.headers["vary"] = "accept-encoding"
        response.headers["cache-control"] = "no-cache"
        suffix = Path(path).suffix
        if suffix in TYPES and response.status_code != 304:
            response.headers["content-type"] = TYPES[suffix]
        return response


def with_headers(app: ASGIApp, headers: Mapping[str, str]) -> ASGIApp:
    """Wrap an app so that each of its answers carries these headers."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = MutableHeaders(scope=message)
                for name, value in headers.items():
                    said[name] = value
            await send(message)

        await app(scope, receive, send_more)

    return wrapped
