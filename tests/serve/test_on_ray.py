"""The same service on Ray: its parts alone, and all of it on a local cluster."""

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as Pillow
from tests.outside import needs

from okulo.core.errors import BadInput
from okulo.core.report import to_json
from okulo.serve import on_ray, raystage
from okulo.serve.params import ServeParams
from okulo.serve.refusals import WorkerDied
from okulo.serve.wire import packed, unpack

PREDICT = "/v1/models/colours/predict"


def test_a_stage_on_ray_answers_in_order_and_an_empty_batch_with_nothing() -> None:
    asked: list[int] = []

    def call(message: bytes) -> bytes:
        batch = unpack(message)
        asked.append(len(batch))
        return bytes(packed([{"twice": each["x"] * 2} for each in batch]))

    token = raystage.CALL.set(call)
    try:
        stage = raystage.RayStage()
    finally:
        raystage.CALL.reset(token)
    assert stage.predict([]) == []
    said = stage.predict([{"x": np.float32([i, 1])} for i in range(3)])
    assert [each["twice"].tolist() for each in said] == [[0, 2], [2, 2], [4, 2]]
    assert asked == [3]


def test_what_fails_in_ray_is_a_dead_worker_and_anything_else_itself() -> None:
    lost = type("ActorDiedError", (Exception,), {"__module__": "ray.exceptions"})
    for raised, expected in ((lost("gone"), WorkerDied), (TimeoutError("late"), TimeoutError)):

        def call(message: bytes, raised: Exception = raised) -> bytes:
            raise raised

        token = raystage.CALL.set(call)
        stage = raystage.RayStage()
        raystage.CALL.reset(token)
        with pytest.raises(expected):
            stage.predict([1])


def test_post_processing_as_a_replica_answers_what_travels() -> None:
    replica = on_ray.Postprocess("outlines")
    assert unpack(replica.predict(bytes(packed([])))) == []


def test_parameters_travel_as_json(tmp_path: Path) -> None:
    params = ServeParams(models=("a.onnx", "b.onnx"), batch_size=7, cors=("*",), engine="ray")
    assert on_ray.from_json(to_json(params)) == ServeParams(
        models=("a.onnx", "b.onnx"), batch_size=7, cors=("*",), engine="ray"
    )
    secret = ServeParams(models=("a.onnx",), api_key_file=tmp_path / "key")
    assert on_ray.from_json(to_json(secret)).api_key_file is None


@pytest.mark.parametrize(
    ("more", "message"),
    [({"jobs": "jobs.db"}, "brings its own stages"), ({"models": ("missing.onnx",)}, "cannot be read")],
)
def test_bad_input_starts_no_cluster(colours: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        on_ray.run(ServeParams(**{"models": (str(colours),), "engine": "ray", **more}))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ray_processes(session: int) -> list[str]:
    """What lives in a session: Ray's processes stay in that of the child that began them."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = each.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(each.parent.name)
    return found


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_all_of_it_on_a_local_ray(start: Any, colours: Path) -> None:
    needs("ray")
    ports = {f"RAY_SERVE_HAPROXY_{each}_PORT": str(free_port()) for each in ("METRICS", "STATS")}
    arguments = ("--engine", "ray", "--postprocess", "okulo_parts:Echo", "--replicas", 2)
    server = start(colours, *arguments, environment={**ports, "OKULO_API_KEY": "secret"})
    (child,) = server.children()
    assert httpx.post(server.url + PREDICT, content=b"").status_code == 401
    key = {"x-api-key": "secret"}

    def one(index: int) -> set[int]:
        colour, to = (index * 5, 255 - index * 3, index), BytesIO()
        Pillow.new("RGB", (16, 16), colour).save(to, "PNG")
        said = httpx.post(server.url + PREDICT, content=to.getvalue(), headers=key, timeout=60).json()
        result = said["answers"][0]["result"]
        assert result["order"] == list(range(20))
        assert np.allclose(result["colours"], [np.array(colour) / 255 * 2] * 20, atol=1e-4)
        return set(result["pids"])

    with ThreadPoolExecutor(8) as pool:
        pids = set().union(*pool.map(one, range(40)))
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)  # post-processing has processes of its own
    names = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]
    assert all(b"Postprocess" in each or b"ServeReplica" in each for each in names), names
    bad = httpx.post(server.url + PREDICT, content=b"no picture", headers=key, timeout=60)
    assert bad.status_code == 400
    assert server.stop(90) == 0
    assert ray_processes(child) == []


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_killed_parent_leaves_no_cluster(start: Any, colours: Path) -> None:
    needs("ray")
    server = start(colours, "--engine", "ray", environment={"RAY_SERVE_ENABLE_HA_PROXY": "0"})
    (child,) = server.children()
    os.kill(server.process.pid, signal.SIGKILL)
    end = time.monotonic() + 90
    while left := ray_processes(child):
        assert time.monotonic() < end, left
        time.sleep(0.2)
