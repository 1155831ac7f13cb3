"""The page `/` as an ASGI app: its files, the models it may ask, and the model files a browser runs itself.

It knows nothing of how a server answers: pictures go to `POST v1/models/{name}/predict`, and the command
line puts this beside that. All addresses are relative, so it works behind a path prefix too.
"""

import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from okulo.core.model import ModelInfo
from okulo.core.report import to_json
from okulo.web.files import HEADERS, STATIC, TYPES, Files, with_headers

ENGINE = STATIC / "vendor" / "onnxruntime-web"
NOT_BUILT = "onnxruntime-web is not built into this installation: run `make web` (needs npm)"

Models = Callable[[], Mapping[str, tuple[Path, ModelInfo]]]
"""Name → model file and what it says of itself, as they are served now."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Offered:
    """What the page is told of one model; `file` is where the model file can be had, `bytes` its size."""

    name: str
    task: str
    classes: tuple[str, ...]
    threshold: float | None
    bytes: int
    file: str


def make_pages(models: Models, key: str = "", searches: Sequence[str] = ()) -> ASGIApp:
    """Make the app that answers `/`, `/static/…` and `/pages/…`.

    Args:
        models: asked anew for each request, so a model that is added or replaced shows after a reload.
        key: the server's API key; the page asks its user for it. Empty: none.
        searches: names of the search pages that lie beside it, at `search/NAME/`.
    """
    if not engine_built():
        log.warning("the page can ask the server only: %s", NOT_BUILT)

    def check(request: Request) -> None:
        said = request.headers.get("authorization", "").encode("latin1")  # the bytes as they came
        if key and not hmac.compare_digest(said, f"Bearer {key}".encode()):
            raise HTTPException(401, "this server asks for an API key")

    def home(request: Request) -> Response:
        return FileResponse(
            STATIC / "index.html", media_type=TYPES[".html"], headers={"cache-control": "no-cache"}
        )

    def list_models(request: Request) -> Response:
        check(request)
        offered = [
            each for name, (path, info) in models().items() if (each := _offer_or_log(name, path, info))
        ]
        said = {"models": to_json(offered), "engine": {"built": engine_built(), "why_not": NOT_BUILT}}
        said["searches"] = list(searches)
        return JSONResponse(said, headers={"cache-control": "no-store"})

    def model_file(request: Request) -> Response:
        check(request)
        name, served = request.path_params["name"], models()
        if name not in served:
            raise HTTPException(404, f"no model {name!r} here")
        return _file(served[name][0], request.query_params.get("v", ""))

    app = Starlette(
        routes=[
            Route("/", home),
            Route("/pages/models.json", list_models),
            Route("/pages/models/{name}/file", model_file),
            Mount("/static", Files(directory=STATIC)),
        ],
        exception_handlers={HTTPException: _refuse},
    )
    return with_headers(app, HEADERS)


def engine_built() -> bool:
    """Whether `make web` has put onnxruntime-web into the static files."""
    return (ENGINE / "version.json").is_file()


def offer(name: str, path: Path, info: ModelInfo) -> Offered:
    """Say of a model file what the page needs; its address changes with the file, so it can be kept."""
    return Offered(
        name=name,
        task=info.task,
        classes=info.classes,
        threshold=info.threshold.value if info.threshold else None,
        bytes=path.stat().st_size,
        file=f"pages/models/{quote(name, safe='')}/file?v={_version(path)}",
    )


def _offer_or_log(name: str, path: Path, info: ModelInfo) -> Offered | None:
    try:
        return offer(name, path, info)
    except OSError as error:  # a file that was taken away must not hide the others
        log.warning("the page leaves out model %r: its file cannot be read (%s)", name, error.strerror)
        return None


def _version(path: Path) -> str:
    found = path.stat()
    return f"{found.st_mtime_ns:x}-{found.st_size:x}"


def _file(path: Path, wanted: str) -> Response:
    """Send a model file; only the address that names its present state may be kept by the browser."""
    try:
        lasts = "private, max-age=31536000, immutable" if wanted == _version(path) else "no-store"
    except OSError as error:
        raise HTTPException(404, f"the model's file cannot be read ({error.strerror})") from error
    return FileResponse(path, media_type="application/octet-stream", headers={"cache-control": lasts})


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code)
