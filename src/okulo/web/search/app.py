"""The search page as an ASGI app: addresses, and answers to what goes wrong."""

import asyncio
import functools
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
from okulo.web.body import read_object
from okulo.web.files import HEADERS, STATIC, TYPES, Files, with_headers
from okulo.web.placeholder import placeholder
from okulo.web.search.site import Site
from okulo.web.thumbnails import SIZES

T = TypeVar("T")
MAX_BODY = 48 << 20
"""A photo of 35 MB, as base64."""
PRIVATE = {**HEADERS, "cross-origin-resource-policy": "same-origin"}
FRESH = {"cache-control": "no-store"}


def make_app(site: Site, *, workers: int = 2, max_body: int = MAX_BODY) -> ASGIApp:
    """Make the app; who may ask is the business of `guard`."""
    pictures, answers = ThreadPoolExecutor(workers, "picture"), ThreadPoolExecutor(workers, "answer")

    async def aside(call: Callable[..., T], *arguments: Any, pool: ThreadPoolExecutor = answers) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, functools.partial(call, *arguments))

    def home(request: Request) -> Response:
        return FileResponse(
            STATIC / "search.html", media_type=TYPES[".html"], headers={"cache-control": "no-cache"}
        )

    async def summary(request: Request) -> Response:
        return _json(await aside(site.summary))

    async def search(request: Request) -> Response:
        return _json(await aside(site.search, await read_object(request, max_body)))

    async def feedback(request: Request) -> Response:
        return _json(await aside(site.feedback, await read_object(request, max_body)))

    async def picture(request: Request) -> Response:
        row, longest, index = request.path_params["row"], request.path_params["longest"], site.index
        if longest not in SIZES or not 0 <= row < len(index.items):
            raise HTTPException(404, "no such picture")
        try:
            copy = await aside(site.thumbnails.get, index.items["path"][row], longest, pool=pictures)
        except BadInput as error:
            return placeholder(str(error).partition(": ")[2])
        headers = {"etag": f'"{copy.tag}"', "cache-control": "private, max-age=600"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(copy.data, media_type=copy.media_type, headers=headers)

    app = Starlette(
        routes=[
            Route("/", home),
            Route("/api/summary", summary),
            Route("/search", search, methods=["POST"]),
            Route("/api/feedback", feedback, methods=["POST"]),
            Route("/picture/{row:int}/{longest:int}", picture),
            Mount("/static", Files(directory=STATIC)),
        ],
        exception_handlers={BadInput: _bad, HTTPException: _refuse, Exception: _bug},
    )
    return with_headers(app, PRIVATE)


def _json(said: Any, status: int = 200) -> Response:
    return JSONResponse(to_json(said), status, headers=FRESH)


def _bad(request: Request, error: Exception) -> Response:
    return _json({"error": str(error)}, 400)


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail}, error.status_code)


def _bug(request: Request, error: Exception) -> Response:
    return _json({"error": "the server failed at this; its log says more"}, 500)
