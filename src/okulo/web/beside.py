"""Put pages beside a server. Light: what the pages need is imported when one is first opened."""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

Asgi = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
OURS = ("/static/", "/pages/")


def beside(app: Asgi, make_pages: Callable[[], Asgi]) -> Asgi:
    """Answer `/`, `/static/…` and `/pages/…` by pages, made at the first such request; all else by `app`."""
    pages = cache(make_pages)

    async def either(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        ours = scope["type"] == "http" and (path == "/" or path.startswith(OURS))
        await (pages() if ours else app)(scope, receive, send)

    return either
