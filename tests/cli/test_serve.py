"""`okulo serve` on the command line: what cannot be served is one clear line and exit code 2."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.search.made import make_table, see

from okulo.cli.serve import search_pages
from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo, Preprocess
from okulo.runtime.graph import write_model
from okulo.search.build import IndexParams
from okulo.search.build import run as run_index
from okulo.serve.params import ServeParams

from .conftest import Run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The smallest model file: pictures of 1 × 1."""
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", ["planes", "first"], ["one"]),
        helper.make_node("Cast", ["one"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["wide", "plane"], ["pixels"], keepdims=1),
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("Softmax", ["flat"], ["probabilities"]),
    ]
    stored = [
        numpy_helper.from_array(np.array([0]), "first"),
        numpy_helper.from_array(np.array([2, 3]), "plane"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [value("image", TensorProto.UINT8, ["h", "w", 3])],
        [value("probabilities", TensorProto.FLOAT, ["n", 3])],
        stored,
        value_info=[value("pixels", TensorProto.FLOAT, ["n", 3, 1, 1])],
    )
    info = ModelInfo(task="classify", classes=("a", "b", "c"), preprocess=Preprocess(size=(1, 1)))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    write_model(made, info, tmp_path / "net.okulo.onnx")
    return tmp_path / "net.okulo.onnx"


def serve(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "okulo.cli.main", "serve", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_nothing_to_serve(tmp_path: Path, here: Run) -> None:
    serve = partial(here, "serve")
    assert "models: expected at least one model file" in refused(serve("--port", 0))
    assert "models: expected at least one model file" in refused(serve(tmp_path, "--port", 0))
    assert "cannot be read" in refused(serve(tmp_path / "missing.onnx", "--port", 0))
    (tmp_path / "no.onnx").write_text("no model")
    assert "is no ONNX file" in refused(serve(tmp_path / "no.onnx", "--port", 0))


def test_names_that_clash_or_are_none(model: Path, here: Run) -> None:
    serve = partial(here, "serve")
    other = model.with_name("copy.onnx")
    other.write_bytes(model.read_bytes())
    assert "is both" in refused(serve(f"a={model}", f"a={other}", "--port", 0))
    odd = model.with_name("o d.onnx")
    odd.write_bytes(model.read_bytes())
    assert "NAME=FILE" in refused(serve(odd, "--port", 0))


def test_wrong_options(model: Path, tmp_path: Path, here: Run) -> None:
    serve = partial(here, "serve")
    assert "expected one of outlines" in refused(serve(model, "--postprocess", "x", "--port", 0))
    assert "no module named" in refused(serve(model, "--postprocess", "nothing_here:x", "--port", 0))
    assert "batch-size: expected a number ≥ 1" in refused(serve(model, "--batch-size", 0, "--port", 0))
    assert "post-url" in refused(serve(model, "--postprocess", "outlines", "--post-url", "x", "--port", 0))
    assert "with --stage postprocess" in refused(serve("--stage", "postprocess", "--port", 0))
    (tmp_path / "key").write_text("\n")
    assert "is empty" in refused(serve(model, "--api-key-file", tmp_path / "key", "--port", 0))
    assert "cannot be read" in refused(serve(model, "--api-key-file", tmp_path / "none", "--port", 0))
    assert "engine" in refused(serve(model, "--engine", "tensorrt", "--port", 0))


def test_a_port_that_is_taken(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = refused(serve(model, "--port", other.getsockname()[1]))
    assert "is another server running?" in said


def test_it_serves_logs_json_and_reports(model: Path) -> None:
    command = [sys.executable, "-m", "okulo.cli.main", "serve", str(model), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())
        assert line["level"] == "info"
        assert line["message"].startswith("serving net@1 at http://127.0.0.1:")
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["requests"] == 0


def test_it_is_light(model: Path) -> None:
    """What a server needs no more than others do is not loaded, and idling costs nothing."""
    code = (
        "import sys, threading, time, os, signal\n"
        "from okulo.cli import serve\n"
        "def end():\n"
        "    names = 'polars sklearn scipy matplotlib torch cv2 numba fastapi faiss'.split()\n"
        "    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:\n"
        "        time.sleep(0.05)\n"
        "    print([name for name in names if name in sys.modules], flush=True)\n"
        "    said = open('/proc/self/status').read().split('VmHWM:')[1]\n"  # rusage keeps the parent's peak
        "    print(int(said.split()[0]) // 1024, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "threading.Timer(1.0, end).start()\n"
        "serve.serve((sys.argv[1],), port=0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model)], capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    loaded, peak = done.stdout.splitlines()[:2]
    assert loaded == "[]"
    assert int(peak) < 150


def test_the_page_stands_beside_the_server(model: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "okulo.cli.main", "serve", str(model), "--port", str(port)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                ready = httpx.get(f"http://127.0.0.1:{port}/v2/health/ready")
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            assert ready.status_code == 200
            break
        page = httpx.get(f"http://127.0.0.1:{port}/")
        assert page.headers["content-type"].startswith("text/html")
        offered = httpx.get(f"http://127.0.0.1:{port}/pages/models.json").json()["models"]
        assert [each["classes"] for each in offered] == [["a", "b", "c"]]
        file = httpx.get(f"http://127.0.0.1:{port}/{offered[0]['file']}")
        assert file.content == model.read_bytes()
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


@pytest.fixture
def index(tmp_path: Path) -> Path:
    run_index(
        IndexParams(items=make_table(tmp_path), model="descriptor", output=tmp_path / "marks.index"), see
    )
    return tmp_path / "marks.index"


def test_search_pages_stand_beside_the_server(model: Path, index: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    command = [sys.executable, "-m", "okulo.cli.main", "serve", str(model), "--port", "0"]
    command += ["--search", str(index), "--api-key-file", str(tmp_path / "key")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            said = json.loads(server.stderr.readline())["message"]
            assert said.endswith("(24 pictures) is searched at /search/marks/")
            said = json.loads(server.stderr.readline())["message"]
            here = said.split(" at ")[1].split(" ")[0]
            check_search_page(here)
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)
    assert server.returncode == 0


def check_search_page(here: str) -> None:
    page = f"{here}/search/marks/"
    assert httpx.get(page).status_code == 401
    assert "API key" in httpx.get(page).text
    assert httpx.get(page[:-1], follow_redirects=False).headers["location"] == "./marks/"
    assert "there are: marks" in httpx.get(f"{here}/search/goods/").json()["error"]
    with httpx.Client() as browser:
        opened = browser.get(f"{page}?token=secret", follow_redirects=True)
        assert str(opened.url) == page
        assert "search by picture" in opened.text
        assert browser.get(f"{page}static/search/page.js").status_code == 200
        assert browser.get(f"{page}picture/0/256").headers["content-type"].startswith("image/")
    key = {"authorization": "Bearer secret"}
    found = httpx.post(f"{page}search", json={"item": 0, "k": 3}, headers=key).json()["results"]
    assert len(found) == 3
    assert 0 not in [each["row"] for each in found]
    assert httpx.post(f"{page}search", json={"item": 0}, headers={"x-api-key": "wrong"}).status_code == 401
    assert httpx.post(f"{page}search", json={"item": -1}, headers=key).status_code == 400
    other = {**key, "origin": "http://evil.example"}
    assert httpx.post(f"{page}search", json={"item": 0}, headers=other).status_code == 403
    assert httpx.get(f"{here}/v2/models/net", headers=key).json()["name"] == "net"
    assert httpx.get(f"{here}/pages/models.json", headers=key).json()["searches"] == ["marks"]


def test_search_pages_that_cannot_be_served(model: Path, index: Path, tmp_path: Path) -> None:
    shown = refused(serve(model, "--search", index, "--host", "0.0.0.0", "--port", 0))
    assert "would show the pictures to whoever reaches 0.0.0.0" in shown
    for said, problem in (
        ((str(tmp_path / "none.index"),), "does not exist"),
        ((str(index), f"marks={index}"), "two indexes named marks"),
        ((f"a/b={index}",), "expected NAME=INDEX"),
    ):
        with pytest.raises(BadInput, match=problem):
            search_pages(ServeParams(search=said))
    with pytest.raises(BadInput, match="is not served on Ray"):
        ServeParams(search=(str(index),), engine="ray")
