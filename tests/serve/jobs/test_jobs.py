"""Jobs over HTTP: many pictures handed over, worked off, fetched; by one server or several processes."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from PIL import Image as Pillow

from okulo.io.tables import read_items

PARQUET = "application/vnd.apache.parquet"


def file(index: int) -> bytes:
    """A picture whose answer tells which it was."""
    to = BytesIO()
    Pillow.new("RGB", (9 + index % 5, 12), colour(index)).save(to, "PNG")
    return to.getvalue()


def colour(index: int) -> tuple[int, int, int]:
    return index % 256, (index * 7) % 256, 255 - index % 256


def form(count: int, start: int = 0) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (f"{i}.png", file(i))) for i in range(start, start + count)]


def expected(index: int) -> np.ndarray:
    logits = np.array(colour(index)) / 255 * 4
    e = np.exp(logits - logits.max())
    return np.asarray(e / e.sum())


def until_ended(url: str, id: str, timeout_s: float = 60.0) -> dict[str, Any]:
    end = time.monotonic() + timeout_s
    while True:
        said: dict[str, Any] = httpx.get(f"{url}/jobs/{id}").json()
        if said["ended_s"] is not None:
            return said
        assert time.monotonic() < end, said
        time.sleep(0.05)


def results(url: str, id: str) -> list[dict[str, Any]]:
    said = httpx.get(f"{url}/jobs/{id}/results", timeout=30)
    assert said.status_code == 200, said.text
    rows: list[dict[str, Any]] = said.json()["results"]
    return rows


def check_all(rows: list[dict[str, Any]], count: int) -> None:
    """Each picture once, in order, with the answer made of that very picture."""
    assert [row["index"] for row in rows] == list(range(count))
    for index, row in enumerate(rows):
        assert row["name"] == f"{index}.png"
        assert row["id"] == hashlib.blake2b(file(index), digest_size=16).hexdigest()
        assert row["probability"] == pytest.approx(expected(index).max(), abs=1e-5)


def test_a_form_becomes_a_result_in_json_and_parquet(desk: Any, tmp_path: Path) -> None:
    server = desk
    said = httpx.post(server.url + "/jobs", files=form(200), params={"outputs": "embedding"})
    assert said.status_code == 202, said.text
    job = said.json()
    assert (job["model"], job["version"], job["items"]) == ("colours", "1", 200)
    ended = until_ended(server.url, job["id"])
    assert (ended["state"], ended["done"], ended["failed"]) == ("done", 200, 0)
    rows = results(server.url, job["id"])
    check_all(rows, 200)
    assert rows[7]["embedding"] == pytest.approx(np.array(colour(7)) / 255, abs=1e-6)
    assert "probabilities" not in rows[7]
    table = httpx.get(f"{server.url}/jobs/{job['id']}/results", headers={"accept": PARQUET})
    assert table.headers["content-type"] == PARQUET
    (tmp_path / "result.parquet").write_bytes(table.content)
    frame = read_items(tmp_path / "result.parquet").frame  # a table as every verb reads it
    assert frame["index"].to_list() == list(range(200))
    assert frame["id"].to_list() == [row["id"] for row in rows]
    assert frame["pred"].to_list() == [row["label"] for row in rows]
    assert frame["probabilities"].dtype == pl.Array(pl.Float32, 3)
    assert frame["embedding"].dtype == pl.Array(pl.Float32, 3)
    assert np.allclose(frame["probabilities"].to_numpy(), [expected(i) for i in range(200)], atol=1e-5)


def test_a_bad_picture_is_a_row_with_its_error(desk: Any) -> None:
    server = desk
    images = [base64.b64encode(each).decode() for each in (file(0), b"no picture", file(2))]
    job = httpx.post(server.url + "/jobs", json={"images": images}).json()
    ended = until_ended(server.url, job["id"])
    assert (ended["state"], ended["done"], ended["failed"]) == ("done", 2, 1)
    rows = results(server.url, job["id"])
    assert "no picture format" in rows[1]["error"]
    assert ["error" in row for row in rows] == [False, True, False]
    table = httpx.get(f"{server.url}/jobs/{job['id']}/results", headers={"accept": PARQUET})
    frame = pl.read_parquet(BytesIO(table.content))
    assert frame["pred"].is_null().to_list() == [expected(0).max() < 0.6, True, expected(2).max() < 0.6]
    assert frame["error"].is_null().to_list() == [True, False, True]
    assert len(frame["id"].unique()) == 3


def test_paths_only_below_the_allowed_roots(start: Any, desk: Any, colours: Path, tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    root.mkdir()
    (root / "a b.png").write_bytes(file(3))
    (tmp_path / "secret.png").write_bytes(file(4))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(root / "pipe.png")
    refused = httpx.post(desk.url + "/jobs", json={"paths": ["a b.png"]})
    assert (refused.status_code, "--jobs-root" in refused.text) == (400, True)
    server = start(colours, "--jobs", tmp_path / "jobs.db", "--jobs-root", root)
    for path in ("../secret.png", "link.png", str(tmp_path / "secret.png"), "file:///etc/passwd", "a\0b",
                 "http://127.0.0.1/x.png", "file://other/x.png"):  # fmt: skip
        refused = httpx.post(server.url + "/jobs", json={"paths": ["a b.png", path]})
        assert refused.status_code == 400, (path, refused.text)
    assert httpx.get(server.url + "/jobs").json() == []
    paths = ["a b.png", (root / "a b.png").as_uri(), str(root / "a b.png"), "missing.png", "pipe.png", "."]
    job = httpx.post(server.url + "/jobs", json={"paths": paths}).json()
    until_ended(server.url, job["id"])
    rows = results(server.url, job["id"])
    assert [row.get("best") for row in rows[:3]] == ["blue"] * 3
    assert ["No such file" in rows[3]["error"], "no plain file" in rows[4]["error"]] == [True, True]
    assert "error" in rows[5]
    assert str(root) not in json.dumps(rows[3:])  # where the server keeps files is nobody's business
    assert server.stop() == 0


def test_bounds(start: Any, colours: Path, tmp_path: Path) -> None:
    arguments = ("--jobs-max-items", 3, "--jobs-max-mb", 1, "--max-body-mb", 1)
    server = start(colours, "--jobs", tmp_path / "jobs.db", *arguments)
    url = server.url + "/jobs"
    assert httpx.post(url, files=form(4)).status_code == 413
    assert httpx.post(url, files=[("image", ("a", bytes(1 << 20)))]).status_code == 413
    assert httpx.post(url, json={"images": ["AAAA"] * 4}).status_code == 400
    assert httpx.post(url, json={"images": []}).status_code == 400
    assert httpx.post(url, json={"images": ["!"]}).status_code == 400
    assert httpx.post(url, json={"images": ["AAAA"], "paths": []}).status_code == 400
    assert httpx.post(url, content=b"{").status_code == 400
    cut = httpx.Request("POST", url, files=form(2)).read()[:-20]
    kind = "multipart/form-data; boundary=x"
    assert httpx.post(url, content=cut, headers={"content-type": kind}).status_code == 400
    assert httpx.post(url, files=form(1), params={"model": "other"}).status_code == 404
    assert httpx.post(url, files=form(1), params={"outputs": "x"}).status_code == 400
    assert httpx.post(url, files=form(1), params={"top": "many"}).json()["error"].startswith("top: ")
    assert httpx.get(url + "/" + "0" * 32).status_code == 404
    assert httpx.get(url + "/" + "0" * 32 + "/results").status_code == 404
    assert httpx.get(url + "/nothing").status_code == 400
    assert httpx.get(server.url + "/else").json() == {"error": "not found: GET /else"}
    assert list((tmp_path / "jobs.db.pictures").iterdir()) == []  # nothing half-written is left
    assert server.stop() == 0


def test_the_same_request_again_is_the_same_job(start: Any, colours: Path, tmp_path: Path) -> None:
    server = start(colours, "--jobs", tmp_path / "jobs.db")
    headers = {"idempotency-key": "upload 17"}
    jobs = [httpx.post(server.url + "/jobs", files=form(2), headers=headers).json() for _ in range(3)]
    assert len({each["id"] for each in jobs}) == 1
    assert len(httpx.get(server.url + "/jobs").json()) == 1
    until_ended(server.url, jobs[0]["id"])
    assert server.stop() == 0


def test_cancel_list_and_remove(start: Any, colours: Path, tmp_path: Path) -> None:
    server = start(colours, "--jobs", tmp_path / "jobs.db", "--jobs-workers", 0)  # nobody works
    url = server.url + "/jobs"
    ids = [httpx.post(url, files=form(2)).json()["id"] for _ in range(3)]
    assert [each["id"] for each in httpx.get(url).json()] == ids[::-1]
    assert [each["id"] for each in httpx.get(url, params={"limit": 1, "before": ids[2]}).json()] == [ids[1]]
    early = httpx.get(f"{url}/{ids[0]}/results")
    assert (early.status_code, "0 of 2" in early.text, "retry-after" in early.headers) == (409, True, True)
    assert httpx.get(f"{url}/{ids[0]}/results", params={"partial": True}).json()["results"] == []
    cancelled = httpx.post(f"{url}/{ids[0]}/cancel").json()
    assert cancelled["state"] == "cancelled"
    assert httpx.post(f"{url}/{ids[0]}/cancel").json() == cancelled
    assert [row["error"] for row in results(server.url, ids[0])] == ["the job was cancelled"] * 2
    assert httpx.delete(f"{url}/{ids[0]}").status_code == 200
    assert httpx.get(f"{url}/{ids[0]}").status_code == 404
    assert server.stop() == 0


def work(*arguments: object, log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "okulo.cli.main", "work", *map(str, arguments)]
    with log.open("wb") as stream:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "parts")}
        return subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)


def test_workers_elsewhere_share_the_work(start: Any, colours: Path, tmp_path: Path) -> None:
    server = start(colours, "--jobs", tmp_path / "jobs.db", "--jobs-workers", 0)
    job = httpx.post(server.url + "/jobs", files=form(300)).json()
    options = ("--jobs", tmp_path / "jobs.db", "--jobs-workers", 1, "--jobs-batch", 8, "--until-empty")
    both = [work(colours, *options, log=tmp_path / f"work{i}.log") for i in range(2)]
    try:
        assert [each.wait(60) for each in both] == [0, 0]
    finally:
        for each in both:
            each.kill()
    check_all(results(server.url, job["id"]), 300)
    said = [(tmp_path / f"work{i}.log").read_text() for i in range(2)]
    counts = [int(each.split(" pictures answered")[0].split()[-1]) for each in said]
    assert sum(counts) == 300
    assert server.stop() == 0


def kill(server: Any) -> None:
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(10)


def test_kill_9_loses_nothing_and_doubles_nothing(start: Any, colours: Path, tmp_path: Path) -> None:
    arguments = (
        colours,
        "--jobs",
        tmp_path / "jobs.db",
        "--postprocess",
        "okulo_parts:Steady",
        "--post-threads",
    )
    server = start(*arguments)
    job = httpx.post(server.url + "/jobs", files=form(200)).json()
    while (done := httpx.get(f"{server.url}/jobs/{job['id']}").json()["done"]) == 0:
        time.sleep(0.02)
    assert done < 200  # in the middle of it
    kill(server)
    server = start(*arguments)
    ended = until_ended(server.url, job["id"])
    assert (ended["state"], ended["done"], ended["failed"]) == ("done", 200, 0)
    check_all(results(server.url, job["id"]), 200)
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.slow
def test_kill_9_again_and_again_while_jobs_come_in(start: Any, colours: Path, tmp_path: Path) -> None:
    arguments = (
        colours,
        "--jobs",
        tmp_path / "jobs.db",
        "--postprocess",
        "okulo_parts:Steady",
        "--post-threads",
    )
    acknowledged: list[str] = []
    for turn in range(5):
        server = start(*arguments)

        def submit(url: str = server.url) -> None:
            for _ in range(3):
                try:
                    said = httpx.post(url + "/jobs", files=form(20), timeout=10)
                except httpx.HTTPError:
                    return
                assert said.status_code == 202
                acknowledged.append(said.json()["id"])

        thread = threading.Thread(target=submit)
        thread.start()
        time.sleep(0.05 + 0.3 * turn)
        kill(server)
        thread.join(20)
    server = start(*arguments)
    stored = [each["id"] for each in httpx.get(server.url + "/jobs", params={"limit": 1000}).json()]
    assert set(acknowledged) <= set(stored)
    assert len(stored) <= len(acknowledged) + 5  # at most the one under way at each kill
    for id in stored[::-1]:
        ended = until_ended(server.url, id, 120)
        assert (ended["state"], ended["done"], ended["failed"]) == ("done", 20, 0)
        check_all(results(server.url, id), 20)
    assert server.stop() == 0


def test_what_kills_its_worker_ends_as_an_error(start: Any, colours: Path, tmp_path: Path) -> None:
    """A picture that kills the whole server each time is begun alone after the first, and given up."""
    paths = (
        colours,
        "--jobs",
        tmp_path / "jobs.db",
        "--postprocess",
        "okulo_parts:Suicidal",
        "--post-threads",
    )
    server = start(*paths)
    black = BytesIO()
    Pillow.new("RGB", (8, 8), (0, 0, 0)).save(black, "PNG")
    images = [base64.b64encode(black.getvalue() if i == 2 else file(i + 20)).decode() for i in range(5)]
    job = httpx.post(server.url + "/jobs", json={"images": images}).json()
    for _ in range(8):
        try:
            ended = until_ended(server.url, job["id"], 20)
            break
        except httpx.HTTPError:
            server.process.wait(10)
            server = launch_anyhow(start, *paths)
    assert (ended["done"], ended["failed"]) == (4, 1)
    assert "its worker ended 5 times" in results(server.url, job["id"])[2]["error"]
    assert server.stop() == 0


def launch_anyhow(start: Any, *arguments: object) -> Any:
    """Start a server that may be killed by its first job before it is looked at."""
    while True:
        try:
            return start(*arguments)
        except (httpx.HTTPError, AssertionError):
            continue


@pytest.mark.slow
def test_workers_on_postgresql_one_killed(
    start: Any, colours: Path, tmp_path: Path, postgres_url: str
) -> None:
    options = ("--jobs", postgres_url, "--jobs-spool", tmp_path / "packs")
    server = start(colours, *options, "--jobs-workers", 0)
    ids = [httpx.post(server.url + "/jobs", files=form(150)).json()["id"] for _ in range(2)]
    own = ("--jobs-workers", 1, "--jobs-batch", 8, "--until-empty")
    slow = ("--postprocess", "okulo_parts:Steady", "--post-threads", "--post-workers", 1)
    both = [work(colours, *options, *own, *slow, log=tmp_path / f"work{i}.log") for i in range(2)]
    try:
        while httpx.get(f"{server.url}/jobs/{ids[0]}").json()["done"] < 20:
            assert [each.poll() for each in both] == [None, None], (tmp_path / "work0.log").read_text()
            time.sleep(0.05)
        both[0].kill()
        assert both[1].wait(120) == 0, (tmp_path / "work1.log").read_text()
    finally:
        for each in both:
            each.kill()
            each.wait(10)
    for id in ids:
        ended = until_ended(server.url, id)
        assert (ended["state"], ended["done"], ended["failed"]) == ("done", 150, 0)
        check_all(results(server.url, id), 150)
    assert server.stop() == 0


def peak_mb(server: Any) -> float:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def test_memory_stays_flat_however_long_the_form(start: Any, colours: Path, tmp_path: Path) -> None:
    server = start(colours, "--jobs", tmp_path / "jobs.db", "--jobs-workers", 0)
    httpx.post(server.url + "/jobs", files=form(1))
    before, megabytes = peak_mb(server), bytes(8 << 20)
    said = httpx.post(server.url + "/jobs", files=[("a", (str(i), megabytes)) for i in range(15)], timeout=60)
    assert said.json()["bytes"] == 120 << 20
    assert peak_mb(server) - before < 30
    assert server.stop() == 0
