"""What goes wrong in production: overload, hang-ups, dead workers, changed files, the end."""

import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as Pillow

PREDICT = "/v1/models/colours/predict"


def file(colour: tuple[int, int, int]) -> bytes:
    to = BytesIO()
    Pillow.new("RGB", (16, 16), colour).save(to, "PNG")
    return to.getvalue()


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def figure(url: str, name: str) -> float:
    text = httpx.get(url + "/metrics").text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def echo_is_right(said: dict[str, Any], colour: tuple[int, int, int], count: int) -> None:
    """The answer was made of this very picture."""
    result = said["answers"][0]["result"]
    assert result["order"] == list(range(count))
    assert np.allclose(result["colours"], [np.array(colour) / 255 * 2] * count, atol=1e-4)
    assert result["size"] == [16, 16]


def test_post_processing_in_processes_over_all_workers(start: Any, colours: Path) -> None:
    server = start(colours, "--postprocess", "okulo_parts:Echo", "--post-workers", 3)
    with ThreadPoolExecutor(12) as pool:

        def one(index: int) -> set[int]:
            colour = (index * 5, 255 - index * 3, index)
            said = httpx.post(server.url + PREDICT, content=file(colour), timeout=30).json()
            echo_is_right(said, colour, 20)
            return set(said["answers"][0]["result"]["pids"])

        pids = set().union(*pool.map(one, range(48)))
    assert pids == set(server.children())
    assert len(pids) == 3
    assert server.stop() == 0
    assert not any(alive(pid) for pid in pids)


def test_a_stage_as_its_own_service(start: Any, colours: Path) -> None:
    stage = start("--stage", "postprocess", "--postprocess", "okulo_parts:Echo", "--post-workers", 2)
    arguments = ("--postprocess", "okulo_parts:Echo", "--post-url", stage.url, "--post-workers", 4)
    server = start(colours, *arguments)
    assert server.children() == []
    with ThreadPoolExecutor(8) as pool:

        def one(index: int) -> None:
            colour = (index * 5, 255 - index * 3, index)
            said = httpx.post(server.url + PREDICT, content=file(colour), timeout=30).json()
            echo_is_right(said, colour, 20)
            assert set(said["answers"][0]["result"]["pids"]) <= set(stage.children())

        list(pool.map(one, range(40)))
    assert figure(stage.url, "okulo_requests_total") == 40 * 20
    assert httpx.post(stage.url + "/v1/stage", content=b"no message").status_code == 400
    assert httpx.get(stage.url + "/v1/other").status_code == 404
    assert server.stop() == 0
    assert stage.stop() == 0


def test_a_killed_worker_is_replaced_and_readiness_tells_the_truth(start: Any, colours: Path) -> None:
    server = start(colours, "--postprocess", "okulo_parts:Echo", "--post-workers", 2)
    first = server.children()
    assert len(first) == 2
    os.kill(first[0], signal.SIGKILL)
    until(lambda: httpx.get(server.url + "/v2/health/ready").status_code == 503)
    assert httpx.get(server.url + "/v2/health/live").status_code == 200
    colour = (9, 200, 30)
    said = httpx.post(server.url + PREDICT, content=file(colour), timeout=30).json()
    echo_is_right(said, colour, 20)  # answered all the same
    server.wait()
    assert len(set(server.children()) - set(first)) == 1
    assert figure(server.url, "okulo_worker_restarts") == 1
    assert server.stop() == 0


def test_a_picture_that_kills_its_worker_fails_alone(start: Any, colours: Path) -> None:
    server = start(colours, "--postprocess", "okulo_parts:Suicidal", "--post-workers", 2)
    with ThreadPoolExecutor(8) as pool:

        def one(index: int) -> int:
            colour = (0, 0, 0) if index == 5 else (200, 10 * index, 3)
            done = httpx.post(server.url + PREDICT, content=file(colour), timeout=60)
            if done.status_code == 200:
                echo_is_right(done.json(), colour, 4)
            else:
                assert "worker process" in done.json()["error"]
            return done.status_code

        codes = list(pool.map(one, range(12)))
    assert codes == [200] * 5 + [500] + [200] * 6
    server.wait()
    assert server.stop() == 0


def test_a_picture_its_post_processing_cannot_stand_fails_alone(start: Any, colours: Path) -> None:
    server = start(colours, "--postprocess", "okulo_parts:Picky", "--post-threads")
    files = [("image", (str(i), file((200 * (i != 2), 0, 0)))) for i in range(4)]
    said = httpx.post(server.url + PREDICT, files=files).json()["answers"]
    assert ["error" in each for each in said] == [False, False, True, False]
    assert "too dark" in said[2]["error"]
    assert server.stop() == 0


def test_overload_is_refused_at_once_and_the_server_is_well_afterwards(start: Any, colours: Path) -> None:
    arguments = ("--postprocess", "okulo_parts:Patient", "--post-workers", 1, "--queue-items", 2)
    server = start(colours, *arguments)
    web = httpx.Client(timeout=30)
    with web, ThreadPoolExecutor(10) as pool:

        def one(_: int) -> tuple[int, float, str]:
            began = time.monotonic()
            done = web.post(server.url + PREDICT, content=file((1, 2, 3)))
            return done.status_code, time.monotonic() - began, done.headers.get("retry-after", "")

        said = list(pool.map(one, range(10)))
    good = [each for each in said if each[0] == 200]
    refused = [each for each in said if each[0] == 429]
    assert len(good) + len(refused) == 10
    assert 2 <= len(good) <= 4
    assert all(each[2].isdigit() and int(each[2]) >= 1 for each in refused)
    assert sorted(each[1] for each in refused)[len(refused) // 2] < 0.5  # without waiting for any work
    assert httpx.post(server.url + PREDICT, content=file((1, 2, 3)), timeout=30).status_code == 200
    assert figure(server.url, 'okulo_rejects_total{reason="full"}') == len(refused)
    assert server.stop() == 0


def test_deadlines(start: Any, colours: Path) -> None:
    server = start(colours, "--postprocess", "okulo_parts:Patient", "--post-workers", 1)
    began = time.monotonic()
    done = httpx.post(server.url + PREDICT, params={"timeout_ms": 100}, content=file((1, 2, 3)))
    assert (done.status_code, done.json()) == (504, {"error": "the deadline passed"})
    assert time.monotonic() - began < 0.5
    done = httpx.post(server.url + PREDICT, content=file((1, 2, 3)), timeout=30)
    assert done.status_code == 200  # and from now on the pace is known
    with ThreadPoolExecutor(3) as pool:
        slow = [pool.submit(httpx.post, server.url + PREDICT, content=file((1, 2, 3))) for _ in range(3)]
        queue = 'okulo_queue_items{model="colours",stage="postprocess",version="1"}'
        until(lambda: figure(server.url, queue) == 2)
        began = time.monotonic()
        done = httpx.post(server.url + PREDICT, params={"timeout_ms": 200}, content=file((1, 2, 3)))
        assert done.status_code == 503
        assert "before the deadline" in done.json()["error"]
        assert int(done.headers["retry-after"]) >= 1
        assert [each.result().status_code for each in slow] == [200] * 3
    assert server.stop() == 0


def test_clients_that_hang_up_cost_nothing(start: Any, colours: Path) -> None:
    server = start(colours, "--postprocess", "okulo_parts:Patient", "--post-workers", 1)
    host, port = server.host.split(":")
    body = file((1, 2, 3))
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    crowd = [socket.create_connection((host, int(port))) for _ in range(40)]
    for each in crowd:
        each.sendall(head + body)
    until(lambda: figure(server.url, "okulo_inside_items") == 40)
    for each in crowd:
        each.close()
    began = time.monotonic()
    assert httpx.post(server.url + PREDICT, content=body, timeout=30).status_code == 200
    assert time.monotonic() - began < 2.5  # one in work and its own, not forty of 0.5 s
    until(lambda: figure(server.url, "okulo_inside_items") == 0)
    assert figure(server.url, 'okulo_rejects_total{reason="gone"}') >= 38
    assert server.stop() == 0


def test_the_end_breaks_no_request_and_leaves_nobody(start: Any, colours: Path) -> None:
    server = start(colours, "--postprocess", "okulo_parts:Patient", "--post-workers", 2, "--drain-s", 0.3)
    children = server.children()
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(httpx.post, server.url + PREDICT, content=file((1, 2, 3))) for _ in range(6)]
        until(lambda: figure(server.url, "okulo_inside_items") == 6)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(server.url + "/v2/health/ready").status_code == 503)
        late = httpx.post(server.url + PREDICT, content=file((1, 2, 3)), timeout=30)  # while draining
        assert late.status_code == 200
        assert [each.result().status_code for each in waiting] == [200] * 6
    assert server.process.wait(10) == 0
    assert not any(alive(pid) for pid in children)
    assert "Traceback" not in server.log.read_text()


def test_the_end_is_bounded_though_work_hangs(start: Any, colours: Path) -> None:
    arguments = ("--postprocess", "okulo_parts:Slow", "--post-workers", 1, "--stop-s", 1)
    server = start(colours, *arguments)
    children = server.children()
    threads = [threading.Thread(target=ask_and_forget, args=(server.url,)) for _ in range(10)]  # 20 s of work
    for each in threads:
        each.start()
    until(lambda: figure(server.url, "okulo_inside_items") == 10)
    began = time.monotonic()
    assert server.stop(15) == 0
    assert time.monotonic() - began < 10
    assert not any(alive(pid) for pid in children)
    for each in threads:
        each.join(10)


def ask_and_forget(url: str) -> None:
    with contextlib.suppress(httpx.HTTPError):
        httpx.post(url + PREDICT, content=file((1, 2, 3)), timeout=30)


def put(path: Path, source: Path) -> None:
    """Replace a file as a careful deployment does: aside, then renamed; dated as settled."""
    aside = path.with_suffix(".tmp")
    shutil.copyfile(source, aside)
    then = time.time() - 5 + np.random.default_rng().random()
    os.utime(aside, (then, then))
    aside.replace(path)


def test_a_changed_file_is_served_without_losing_a_request(
    start: Any, make_colours: Any, tmp_path: Path
) -> None:
    weak, strong = make_colours(tmp_path / "weak.bin", 1.0), make_colours(tmp_path / "strong.bin", 9.0)
    served = tmp_path / "colours.onnx"
    put(served, weak)
    server = start(served)
    body, said, stop = file((255, 0, 0)), [], threading.Event()

    def ask() -> None:
        with httpx.Client() as client:
            while not stop.is_set():
                done = client.post(server.url + PREDICT, content=body, timeout=30)
                said.append((done.status_code, round(done.json()["answers"][0]["probability"], 3)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    until(lambda: len(said) > 20)
    put(served, strong)
    until(lambda: said[-1][1] > 0.9)
    served.write_bytes(b"no model at all")  # broken: the old one goes on
    os.utime(served, (time.time() - 5, time.time() - 5))
    until(lambda: "cannot be served, the old model goes on" in server.log.read_text())
    count = len(said)
    until(lambda: len(said) > count + 20)
    put(served, weak)
    until(lambda: said[-1][1] < 0.9)
    stop.set()
    for each in threads:
        each.join()
    assert {code for code, _ in said} == {200}
    answers = {probability for _, probability in said}
    assert len(answers) == 2, answers  # only ever the one model's answer or the other's
    assert figure(server.url, 'okulo_model_loads_total{model="colours",outcome="loaded"}') == 2
    assert figure(server.url, 'okulo_model_loads_total{model="colours",outcome="refused"}') == 1
    assert server.stop() == 0


def test_versions_side_by_side(start: Any, make_colours: Any, tmp_path: Path) -> None:
    for version, scale in (("9", 1.0), ("10", 9.0)):
        (tmp_path / "models" / "colours" / version).mkdir(parents=True)
        make_colours(tmp_path / "models" / "colours" / version / "model.onnx", scale)
    make_colours(tmp_path / "models" / "other@3.onnx", 4.0)
    server = start(tmp_path / "models")
    body = file((255, 0, 0))

    def probability(path: str) -> float:
        return float(httpx.post(server.url + path, content=body).json()["answers"][0]["probability"])

    newest = probability(PREDICT)
    assert newest > 0.99
    assert probability("/v1/models/colours/versions/10/predict") == newest
    assert probability("/v1/models/colours/versions/9/predict") == pytest.approx(0.576, abs=0.01)
    assert probability("/v1/models/other/predict") == pytest.approx(0.965, abs=0.01)
    assert httpx.get(server.url + "/v2/models/colours").json()["versions"] == ["9", "10"]
    (tmp_path / "models" / "colours" / "11").mkdir()
    new = tmp_path / "models" / "colours" / "11" / "model.onnx"
    make_colours(tmp_path / "new.bin", 2.0)
    put(new, tmp_path / "new.bin")
    until(lambda: httpx.get(server.url + "/v2/models/colours").json()["versions"][-1] == "11")
    assert probability(PREDICT) == pytest.approx(0.787, abs=0.01)
    assert server.stop() == 0
