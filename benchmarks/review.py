"""How long a person waits on the review page at 100,000 items: verdicts, pages, pictures, start, memory.

    python benchmarks/review.py                 # about two minutes, half of it making the pictures
    python benchmarks/review.py --items 20000

Pictures of 96 × 96 are drawn, a table of them is made with issues, groups and embeddings of 256 numbers, and
`okulo review` is started in a process of its own. One client asks over a kept connection, as a browser does;
verdicts are also measured while four other clients ask for pictures that are not made yet. The verdict store
by itself on the same disk, and a bare `fsync`, stand beside: no server can answer sooner than they.
"""

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

from machine import write_results
from okulo.core.table import Items
from okulo.curate.verdicts import Decision, open_store
from okulo.io.tables import write_items

SIDE = 96
DIMENSIONS = 256


def make(folder: Path, n: int) -> Path:
    """Draw pictures and write their table."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
    classes = [f"class {i:02d}" for i in range(20)]
    label = rng.integers(0, 20, n)
    for start in range(0, n, 1000):
        (folder / f"{start // 1000:03d}").mkdir()
    for i in range(n):
        image = np.roll(noise, i, axis=0) + np.uint8(9 * label[i])
        cv2.imwrite(str(folder / f"{i // 1000:03d}" / f"{i:06d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 85])
    centres = rng.normal(size=(20, DIMENSIONS))
    vectors = (centres[label] + rng.normal(size=(n, DIMENSIONS))).astype(np.float32)
    wrong = rng.random(n) < 0.1
    frame = pl.DataFrame(
        {
            "id": [f"{i:032x}" for i in range(n)],
            "path": [f"{i // 1000:03d}/{i:06d}.jpg" for i in range(n)],
            "width": pl.Series(np.full(n, SIDE, np.int32)),
            "height": pl.Series(np.full(n, SIDE, np.int32)),
            "split": [("train", "train", "train", "val")[i % 4] for i in range(n)],
            "label": [classes[i] for i in label],
            "issue": ["label" if each else None for each in wrong],
            "suggested": [classes[(i + 1) % 20] if each else None for i, each in zip(label, wrong)],
            "severity": pl.Series(rng.random(n).astype(np.float32)),
            "group": pl.Series([i // 2 if i % 10 < 2 else None for i in range(n)], dtype=pl.Int64),
            "keep": [i % 2 == 0 for i in range(n)],
            "embedding": pl.Series(vectors),
        }
    )
    write_items(Items(frame, folder), folder / "items.parquet")
    return folder / "items.parquet"


class Client:
    """One kept connection, as a browser's."""

    def __init__(self, host: str) -> None:
        self.connection = http.client.HTTPConnection(host, timeout=60)

    def get(self, path: str) -> bytes:
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        data = answer.read()
        assert answer.status == 200, (path, data[:200])
        return data

    def post(self, path: str, said: dict[str, Any]) -> bytes:
        self.connection.request("POST", path, json.dumps(said), {"content-type": "application/json"})
        answer = self.connection.getresponse()
        data = answer.read()
        assert answer.status == 200, (path, data[:200])
        return data


def timed(calls: int, call: Any) -> dict[str, float]:
    """Milliseconds of each call: median, 99th percentile, longest."""
    took = []
    for i in range(calls):
        began = time.perf_counter()
        call(i)
        took.append(1000 * (time.perf_counter() - began))
    said = np.array(took)
    return {
        "calls": calls,
        "p50_ms": round(float(np.median(said)), 2),
        "p99_ms": round(float(np.quantile(said, 0.99)), 2),
        "max_ms": round(float(said.max()), 2),
    }


def start(items: Path, cache: Path) -> tuple[subprocess.Popen[str], str, float]:
    """Start `okulo review`; gives its address and how long it took until it answered."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "okulo.cli.main", "review", str(items), "--port", "0", "--who", "ann",
         "--cache", str(cache)],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.match(r"http://([^/]+)/", line):
            Client(found[1]).get("/")
            return process, found[1], time.perf_counter() - began
    raise SystemExit("okulo review did not start")


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    """Memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return round(int(re.findall(rf"{what}:\s+(\d+)", text)[0]) / 1024)


def decide(client: Client, row: int) -> None:
    """One verdict."""
    said = {"row": row, "item": f"{row:032x}", "question": "label", "answer": "keep"}
    client.post("/api/verdicts", {"decisions": [said]})


def measure(process: subprocess.Popen[str], host: str, n: int, calls: int) -> dict[str, dict[str, float]]:
    """Ask for everything a page asks for."""
    client = Client(host)
    rng = np.random.default_rng(1)
    rows = rng.permutation(n)
    said: dict[str, dict[str, float]] = {}
    said["open the page (summary)"] = timed(20, lambda i: client.get("/api/summary"))
    said["verdict"] = timed(calls, lambda i: decide(client, int(rows[i])))
    batches = rows[calls : calls + 60 * calls // 4].reshape(-1, 60)[: calls // 4]
    page = [",".join(map(str, batch)) for batch in batches]
    said["next 60 items"] = timed(len(page), lambda i: client.get(f"/api/items?rows={page[i]}"))
    said["thumbnail, first time"] = timed(calls, lambda i: client.get(f"/picture/{rows[-1 - i]}/256"))
    said["thumbnail, again"] = timed(calls, lambda i: client.get(f"/picture/{rows[-1 - i]}/256"))
    filters = [
        "state=open",
        "state=open&issue=%2B",
        "state=open&label=%3Dclass%2003&split=%3Dval",
        "state=decided",
    ]
    said["another filter (queue)"] = timed(40, lambda i: client.get(f"/api/queue?{filters[i % 4]}"))
    said["progress"] = timed(40, lambda i: client.get("/api/progress?issue=%2B"))
    said["list of groups"] = timed(20, lambda i: client.get("/api/groups?state=open"))
    said["a group"] = timed(calls, lambda i: client.get(f"/api/groups/{i}"))
    said["what others did"] = timed(calls, lambda i: client.get(f"/api/changes?since={calls}"))
    said["find a name"] = timed(20, lambda i: client.get(f"/api/find?text={rows[i]:06d}"))
    said["map, first time"] = timed(1, lambda i: client.get("/api/map/points"))
    said["map, again"] = timed(20, lambda i: client.get("/api/map/points"))
    said["200 neighbours"] = timed(40, lambda i: client.get(f"/api/neighbours?row={rows[i]}&count=200"))
    said["verdict while 4 scroll"] = while_scrolling(host, n, calls)
    return said


def while_scrolling(host: str, n: int, calls: int) -> dict[str, float]:
    """Verdicts while four clients ask for thumbnails that are not made yet."""
    stop = threading.Event()

    def scroll(which: int) -> None:
        other, rng = Client(host), np.random.default_rng(100 + which)
        while not stop.is_set():
            other.get(f"/picture/{rng.integers(n)}/256")

    threads = [threading.Thread(target=scroll, args=(i,)) for i in range(4)]
    for each in threads:
        each.start()
    client, rows = Client(host), np.random.default_rng(1).permutation(n)
    try:
        return timed(calls, lambda i: decide(client, int(rows[n // 2 + i])))
    finally:
        stop.set()
        for each in threads:
            each.join()


def floor(folder: Path, calls: int) -> dict[str, dict[str, float]]:
    """What the disk and the store take by themselves."""
    handle = os.open(folder / "file", os.O_CREAT | os.O_WRONLY)

    def flush(i: int) -> None:
        os.write(handle, b"x" * 4096)
        os.fsync(handle)

    with open_store(folder / "plain.db") as store:
        plain = timed(
            calls,
            lambda i: store.record(
                [Decision(item=f"{i:032x}", path="a", question="label", answer="keep")], who="ann"
            ),
        )
    said = {"a bare fsync": timed(calls, flush), "the store alone": plain}
    os.close(handle)
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description="time the review page")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=400)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="okulo-review-") as name:
        folder = Path(name)
        began = time.perf_counter()
        items = make(folder, asked.items)
        print(f"made {asked.items:,} pictures in {time.perf_counter() - began:.0f} s")
        process, host, up_s = start(items, folder / "cache")
        try:
            memory = {"started_mb": memory_mb(process.pid)}
            said = measure(process, host, asked.items, asked.calls) | floor(folder, asked.calls)
            memory |= {"with_vectors_mb": memory_mb(process.pid), "peak_mb": memory_mb(process.pid, "VmHWM")}
        finally:
            process.terminate()
            process.wait(20)
        process, _, again_s = start(items, folder / "cache")
        process.terminate()
        process.wait(20)
    for what, took in said.items():
        print(
            f"{what:26} p50 {took['p50_ms']:8.1f} ms   p99 {took['p99_ms']:8.1f} ms   {took['calls']} calls"
        )
    print(f"started in {up_s:.2f} s, with {3 * asked.calls} verdicts {again_s:.2f} s; {memory}")
    figures = {
        "items": asked.items,
        "dimensions": DIMENSIONS,
        "start_s": round(up_s, 2),
        "start_again_s": round(again_s, 2),
    }
    print(write_results("review", {**figures, "memory": memory, "ms": said}))


if __name__ == "__main__":
    main()
