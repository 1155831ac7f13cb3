"""An exported repository in a real Triton server: loaded as it is, and the same answers.

The server comes from the `nvidia-pytriton` wheel, which wants Debian's Python 3.11 and numpy 1, so an
environment of its own: `/usr/bin/python3.11 -m venv /tmp/peers-debian && /tmp/peers-debian/bin/pip install
nvidia-pytriton onnxruntime`. Another place is told in OKULO_TRITON.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton
from tests.models import write_model

from okulo.export.triton import write_triton
from okulo.runtime.graph import read_model
from okulo.runtime.modelfile import ModelFile, load

VENV = Path(os.environ.get("OKULO_TRITON", "/tmp/peers-debian"))
PACKAGES = VENV / "lib" / "python3.11" / "site-packages"
SERVER = PACKAGES / "pytriton" / "tritonserver"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SERVER.is_dir(), reason=f"no nvidia-pytriton in {VENV} (see this file's head)"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triton")
    write_model(folder / "m.onnx")
    write_triton(read_model(folder / "m.onnx"), folder / "models", "small")
    shutil.copytree(SERVER / "backends" / "python", folder / "backends" / "python")
    stub = SERVER / "python_backend_stubs" / "3.11" / "triton_python_backend_stub"
    shutil.copy(stub, folder / "backends" / "python")
    (folder / "backends" / "onnxruntime").mkdir()
    backend = Path(__file__).with_name("triton_backend.py")
    shutil.copy(backend, folder / "backends" / "onnxruntime" / "model.py")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    where = ("--http-address", "127.0.0.1", "--http-port", address.rpartition(":")[2])
    closed = ("--allow-grpc=false", "--allow-metrics=false")
    paths = (f"--model-repository={folder / 'models'}", f"--backend-directory={folder / 'backends'}")
    libraries = str(PACKAGES / "nvidia_pytriton.libs")
    environment = {**os.environ, "LD_LIBRARY_PATH": libraries, "OKULO_PACKAGES": str(PACKAGES)}
    environment.pop("PYTHONPATH", None)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [SERVER / "bin" / "tritonserver", *paths, *where, *closed],
            stdout=log,
            stderr=log,
            env=environment,
        )
    try:
        wait_ready(process, address, folder / "log")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def wait_ready(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    end = time.monotonic() + 60
    with triton.InferenceServerClient(address) as client:
        while True:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < end, log.read_text()[-3000:]
            try:
                if client.is_server_ready():
                    return
            except OSError:
                pass
            time.sleep(0.2)


def ask(address: str, image: np.ndarray) -> dict[str, np.ndarray]:
    with triton.InferenceServerClient(address) as client:
        given = triton.InferInput("image", list(image.shape), "UINT8")
        given.set_data_from_numpy(image)
        said = client.infer("small", [given])
        return {name: said.as_numpy(name)[0] for name in ("probabilities", "embedding")}


def same(said: dict[str, np.ndarray], model: ModelFile, image: np.ndarray) -> None:
    (wanted,) = model.predict([image])
    for name, value in said.items():
        np.testing.assert_allclose(value, wanted[name], atol=1e-5)


def test_triton_gives_the_same_answers(server: str, folder: Path) -> None:
    model, rng = load(folder / "m.onnx"), np.random.default_rng(0)
    for shape in ((40, 50), (23, 31), (7, 90), (200, 11)):
        image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        same(ask(server, image), model, image)


def test_requests_of_different_sizes_share_batches(server: str, folder: Path) -> None:
    model, rng = load(folder / "m.onnx"), np.random.default_rng(1)
    images = [rng.integers(0, 256, (20 + i, 30 + i % 7, 3), dtype=np.uint8) for i in range(64)]
    with ThreadPoolExecutor(16) as pool:
        for image, said in zip(images, pool.map(lambda image: ask(server, image), images)):
            same(said, model, image)
    with triton.InferenceServerClient(server) as client:
        (figures,) = client.get_inference_statistics("small_network")["model_stats"]
    assert figures["inference_count"] > figures["execution_count"]  # several pictures in one run
