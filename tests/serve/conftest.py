"""Small model files made by hand (no torch), and servers on loopback that always end."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from okulo.core.model import ModelInfo, Preprocess, Threshold
from okulo.export.picture_graph import picture_graph
from okulo.runtime.graph import write_model

FLOAT = TensorProto.FLOAT
SIZE = (8, 8)
PARTS = Path(__file__).parent / "parts"
COLOURS = ("red", "green", "blue")


def constant(name: str, value: object, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value, dtype), name)


def colour_info(scale: float = 4.0, threshold: float | None = 0.6) -> ModelInfo:
    return ModelInfo(
        task="classify",
        classes=COLOURS,
        preprocess=Preprocess(size=SIZE, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        name="colours",
        threshold=None if threshold is None else Threshold(value=threshold),
        notes={"scale": scale},
    )


def write_colours(path: Path, scale: float = 4.0, threshold: float | None = 0.6) -> Path:
    """A model file that says which of red, green, blue is strongest; `embedding` is the mean colour, 0 to 1.

    probabilities = softmax(scale · mean colour): every answer can be checked against its own picture.
    """
    info = colour_info(scale, threshold)
    nodes, stored = picture_graph(info.preprocess)
    nodes += [
        helper.make_node("ReduceMean", ["pixels", "plane"], ["embedding"], keepdims=0),
        helper.make_node("Mul", ["embedding", "scale"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    stored += [constant("plane", [2, 3], np.int64), constant("scale", scale)]
    outputs = [
        helper.make_tensor_value_info(name, FLOAT, ["n", 3]) for name in ("probabilities", "embedding")
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["h", "w", 3])],
        outputs,
        stored,
        value_info=[helper.make_tensor_value_info("pixels", FLOAT, ["n", 3, *SIZE])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    write_model(model, info, path)
    return path


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max())
    return e / e.sum()


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colours(tmp_path_factory.mktemp("models") / "colours.onnx")


@dataclass(frozen=True)
class Server:
    """`okulo serve` in its own process."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def stop(self, timeout_s: float = 30.0) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def children(self) -> list[int]:
        task = Path(f"/proc/{self.process.pid}/task")
        return [int(pid) for each in task.iterdir() for pid in (each / "children").read_text().split()]

    def wait(self, path: str = "/v2/health/ready", timeout_s: float = 20.0) -> None:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if httpx.get(self.url + path).status_code == 200:
                return
            time.sleep(0.02)
        raise TimeoutError(self.log.read_text())


def launch(log: Path, *arguments: object, environment: dict[str, str] | None = None) -> Server:
    """Start `okulo serve` on a free port and wait until it is ready."""
    command = [sys.executable, "-m", "okulo.cli.main", "serve", *map(str, arguments), "--port", "0"]
    paths = os.pathsep.join(filter(None, [str(PARTS), os.environ.get("PYTHONPATH", "")]))
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            stdout=stream,
            stderr=stream,
            env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        )
    try:
        end = time.monotonic() + 60
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        server = Server(process, found[0], log)
        server.wait()
        return server
    except BaseException:
        process.kill()
        process.wait(10)
        raise


def finish(server: Server) -> None:
    """End a server whatever state it is in."""
    if server.process.poll() is None:
        server.process.kill()
    server.process.wait(10)


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers; whatever happens they are gone when the test ends."""
    servers: list[Server] = []

    def start_one(*arguments: object, environment: dict[str, str] | None = None) -> Server:
        log = tmp_path / f"server{len(servers)}.log"
        servers.append(launch(log, *arguments, environment=environment))
        return servers[-1]

    yield start_one
    for server in servers:
        finish(server)


@pytest.fixture(scope="module")
def shared(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a module that do not harm it."""
    log = tmp_path_factory.mktemp("shared") / "server.log"
    limits = ("--max-body-mb", 2, "--max-megapixels", 1, "--max-images", 8)
    server = launch(log, colours, *limits)
    try:
        yield server
        assert server.stop() == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        finish(server)


@pytest.fixture(scope="session")
def make_colours() -> Callable[..., Path]:
    return write_colours
