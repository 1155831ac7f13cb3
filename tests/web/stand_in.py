"""What the page needs of a server: pictures in, answers out, in the shape `okulo serve` gives them."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.io.images import decode
from okulo.runtime.modelfile import ModelFile, load, read_info
from okulo.web.beside import beside
from okulo.web.pages import make_pages


def described(files: Mapping[str, Path]) -> dict[str, tuple[Path, ModelInfo]]:
    """Files with what they say of themselves, as a server knows it."""
    return {name: (path, read_info(path)) for name, path in files.items()}


@dataclass
class StandIn:
    """What the page needs of a server: pictures in, answers out, in the shape `okulo serve` gives them."""

    files: dict[str, Path]
    key: str = ""
    refuse_next: list[int] = field(default_factory=list)
    asked: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self.loaded: dict[str, ModelFile] = {}

    def model(self, name: str) -> ModelFile:
        if name not in self.loaded:
            self.loaded[name] = load(self.files[name], threads=1)
        return self.loaded[name]

    async def predict(self, request: Request) -> JSONResponse:
        self.asked += 1
        said = request.headers.get("authorization", "").encode("latin1")
        if self.key and said != f"Bearer {self.key}".encode():
            return JSONResponse({"error": "the API key is wrong"}, 401)
        if self.refuse_next:
            wait = {"retry-after": "1"}
            return JSONResponse({"error": "the queue is full"}, self.refuse_next.pop(), headers=wait)
        model = self.model(request.path_params["name"])
        try:
            image = decode(await request.body())
        except BadInput as error:
            return JSONResponse({"error": str(error)}, 400)
        shares = model.predict([image])[0]["probabilities"]
        threshold = model.info.threshold.value if model.info.threshold else None
        answers = [{"probabilities": [float(each) for each in shares]}]
        return JSONResponse({"threshold": threshold, "answers": answers})

    def app(self) -> ASGIApp:
        predict = Route("/v1/models/{name}/predict", self.predict, methods=["POST"])
        pages = make_pages(lambda: described(self.files), key=self.key)
        return beside(Starlette(routes=[predict]), lambda: pages)


def serve(app: ASGIApp) -> tuple[uvicorn.Server, threading.Thread, str]:
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.02)
    return server, thread, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
