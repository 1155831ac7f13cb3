"""The calibration page as an ASGI app; what becomes of the marks is handed in: it knows no application."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from okulo.core.errors import BadInput
from okulo.core.report import to_json
from okulo.web.body import read_object
from okulo.web.files import HEADERS, STATIC, TYPES, Files, with_headers

Act = Callable[[Mapping[str, Any]], dict[str, Any]]
FRESH = {"cache-control": "no-store"}
MOST_BYTES = 1 << 18


def make_app(frame_png: bytes, start: Mapping[str, Any], check: Act, save: Act) -> ASGIApp:
    """Make the app.

    Args:
        frame_png: the picture that is marked.
        start: what the page begins with.
        check: what to answer to marks; BadInput is told to the user as it is.
        save: the same, when they are to be kept.
    """

    def home(request: Request) -> Response:
        return FileResponse(STATIC / "calibrate.html", media_type=TYPES[".html"], headers=FRESH)

    def frame(request: Request) -> Response:
        return Response(frame_png, media_type="image/png", headers=FRESH)

    def begin(request: Request) -> Response:
        return JSONResponse(to_json(start), headers=FRESH)

    def answering(act: Act) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                return JSONResponse(to_json(act(await read_object(request, MOST_BYTES))), headers=FRESH)
            except BadInput as error:
                return JSONResponse({"error": str(error)}, status_code=422, headers=FRESH)

        return answer

    routes = [
        Route("/", home),
        Route("/api/frame.png", frame),
        Route("/api/start", begin),
        Route("/api/check", answering(check), methods=["POST"]),
        Route("/api/save", answering(save), methods=["POST"]),
        Mount("/static", Files(directory=STATIC)),
    ]
    return with_headers(Starlette(routes=routes), {**HEADERS, "permissions-policy": "camera=()"})
