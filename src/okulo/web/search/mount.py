"""Search pages beside a server: each index under a path of its own."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, RedirectResponse, Response

from okulo.core.errors import BadInput
from okulo.web.beside import Asgi
from okulo.web.guard import Guard, is_loopback

PREFIX = "/search/"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
LOCKED = (
    "This page asks for the server's API key: open it once with ?token=KEY behind its address. "
    "Programs send Authorization: Bearer KEY, or X-API-Key.\n"
)


def named(said: str) -> tuple[str, str]:
    """Take NAME=INDEX apart; without a name it is the folder's, as far as its last dot.

    >>> named("marks=/data/a.index"), named("/data/goods.index")
    (('marks', '/data/a.index'), ('goods', '/data/goods.index'))
    """
    name, equals, folder = said.partition("=")
    if not equals:
        folder = said
        name = folder.rstrip("/").rpartition("/")[2].removesuffix(".index")
    if not NAME.fullmatch(name):
        raise BadInput("search", wanted="NAME=INDEX, the name of letters, digits, - and _", got=repr(said))
    return name, folder


def demand_key(host: str, key: str) -> None:
    """Pages show pictures: raise BadInput where others than this machine could see them without a key."""
    if not key and not is_loopback(host):
        raise BadInput(
            "search",
            f"would show the pictures to whoever reaches {host}",
            hint="give --api-key-file, or listen on 127.0.0.1",
        )


def mounted(app: Asgi, pages: Mapping[str, Asgi], host: str, key: str) -> Asgi:
    """Answer `/search/NAME/…` by the page of that name, to whom `Guard` lets in; all else by `app`.

    Args:
        app: the server.
        pages: search pages (`make_app`) by name.
        host: the address that is listened on.
        key: the server's API key, which programs send as they do elsewhere; a browser gets a cookie for it.
    """
    demand_key(host, key)

    async def either(scope: Any, receive: Any, send: Any) -> None:
        path = str(scope.get("path", ""))
        if scope["type"] != "http" or not path.startswith(PREFIX):
            await app(scope, receive, send)
            return
        name, slash, rest = path.removeprefix(PREFIX).partition("/")
        answer: Response
        if name in pages and slash:
            guard = Guard(pages[name], is_loopback(host), key, scope["server"][1], LOCKED)
            await guard({**scope, "path": f"/{rest}"}, receive, send)
            return
        if name in pages:
            answer = RedirectResponse(f"./{quote(name)}/")
        else:
            there = ", ".join(sorted(pages))
            answer = JSONResponse({"error": f"no index of this name; there are: {there}"}, 404)
        await answer(scope, receive, send)

    return either
