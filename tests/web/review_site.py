"""A table with planted faults, and `okulo review` of it in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import uvicorn
from PIL import Image

from okulo.core.table import Items
from okulo.curate.verdicts import VerdictStore, open_store
from okulo.io.tables import write_items
from okulo.web.review.command import ReviewParams, cache_folder, find_vectors, make_guard, verdicts_beside
from okulo.web.review.held import Held
from okulo.web.review.site import Site
from okulo.web.review.table import ReviewTable
from okulo.web.server import bind
from okulo.web.thumbnails import Thumbnails

CLASSES = ("bird", "cat", "dog")
COLOURS = {"bird": (60, 120, 220), "cat": (230, 150, 40), "dog": (60, 160, 90)}
HOSTILE = '<img src=x onerror="document.title=1">'


def paint(label: str, rng: np.random.Generator, size: tuple[int, int] = (96, 72)) -> np.ndarray:
    """A picture of this class: its colour, and noise of its own."""
    noise = rng.integers(-40, 40, (size[1] // 8, size[0] // 8, 3))
    whole = np.repeat(np.repeat(noise, 8, axis=0), 8, axis=1)
    return (np.array(COLOURS[label]) + whole).clip(0, 255).astype(np.uint8)


def make_table(folder: Path, *, n: int = 24, audited: bool = True) -> Path:
    """Write `n` pictures and their table: every sixth label is wrong, rows 0 to 2 and 3 to 4 are copies.

    Also a hostile name and label, a file that is gone, one that is no picture, and one outside of the folder.
    """
    rng = np.random.default_rng(3)
    (folder / "p").mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for i in range(n):
        true = CLASSES[i % 3]
        given = CLASSES[(i + 1) % 3] if i % 6 == 5 else true
        path = f"p/{i:03d}.png"
        Image.fromarray(paint(true, rng)).save(folder / path)
        centre = {"bird": (0, 0), "cat": (4, 0), "dog": (0, 4)}[true]
        vector = np.float32([*centre, 1, 1]) + rng.normal(0, 0.3, 4).astype(np.float32)
        rows.append(
            {
                "id": f"{i:032x}", "path": path, "width": 96, "height": 72,
                "split": ("train", "val")[i % 4 == 3], "label": given, "embedding": vector,
                "issue": "label" if i % 6 == 5 else None, "suggested": true if i % 6 == 5 else None,
                "severity": np.float32(0.9 - i / 100 if i % 6 == 5 else 0.01),
                "group": 0 if i < 3 else 1 if i < 5 else None, "keep": i in (1, 3),
            }
        )  # fmt: skip
    copy = np.asarray(Image.open(folder / "p/003.png")).copy()
    copy[20:40, 30:60] = 255  # a patch that differs
    Image.fromarray(copy).save(folder / "p/004.png")
    odd = folder / "p" / 'a"b <b>&.png'
    Image.fromarray(paint("cat", rng)).save(odd)
    (folder / "p/broken.png").write_bytes(b"no picture")
    for path in (f"p/{odd.name}", "p/gone.png", "p/broken.png", "/etc/passwd"):
        rows.append(
            {
                **rows[0], "id": f"{len(rows):032x}", "path": path,
                "label": HOSTILE if "<b>" in path else "cat",
                "issue": "outlier", "suggested": None, "severity": np.float32(0.2), "group": None,
                "keep": False, "embedding": None, "split": "train",
            }
        )  # fmt: skip
    frame = pl.DataFrame(
        rows,
        schema_overrides={
            "width": pl.Int32, "height": pl.Int32, "severity": pl.Float32, "group": pl.Int64,
            "embedding": pl.Array(pl.Float32, 4),
        },
    )  # fmt: skip
    if not audited:
        frame = frame.drop("issue", "suggested", "severity", "group", "keep", "embedding")
    write_items(Items(frame, folder), folder / "items.parquet")
    return folder / "items.parquet"


def make_large(folder: Path, n: int) -> Path:
    """A table of many items whose files are gone: what is tried is the page, not the pictures."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 20, n)
    vectors = rng.normal(size=(20, 16))[label] + rng.normal(0, 0.4, (n, 16))
    frame = pl.DataFrame(
        {
            "id": [f"{i:032x}" for i in range(n)],
            "path": [f"{i:06d}.png" for i in range(n)],
            "label": [f"class {i}" for i in label],
            "severity": rng.random(n).astype(np.float32),
            "embedding": pl.Series(vectors.astype(np.float32)),
        }
    )
    frame.write_parquet(folder / "items.parquet")
    return folder / "items.parquet"


def make_site(folder: Path) -> Site:
    """Everything the page is made of, over a table with planted faults."""
    items = make_table(folder)
    table, store = ReviewTable(items), VerdictStore(folder / "v.db")
    thumbnails = Thumbnails(table.root, folder / "cache", max_bytes=1 << 24)
    return Site(table, Held(table, store), thumbnails, find_vectors(items), "ann")


@contextmanager
def reviewed_here(items: Path, who: str = "") -> Iterator["Review"]:
    """Serve the page from a thread of this process: quicker, and its types are checked."""
    params = ReviewParams(items=items, port=0, cache=items.parent / "cache", who=who)
    store = VerdictStore(verdicts_beside(items))
    table = ReviewTable(items)
    thumbnails = Thumbnails(table.root, cache_folder(params), max_bytes=1 << 24)
    site = Site(table, Held(table, store), thumbnails, find_vectors(items), who)
    with bind("127.0.0.1", 0) as listener:
        app = make_guard(params, site, listener)
        config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Review(items, url=f"http://127.0.0.1:{app.port}/", port=app.port)
        finally:
            server.should_exit = True
            thread.join(10)
            store.close()
    assert not thread.is_alive()


@dataclass
class Review:
    """`okulo review` of one table."""

    items: Path
    options: tuple[str, ...] = ()
    url: str = ""
    log: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    port: int = 0

    @property
    def verdicts(self) -> Path:
        return self.items.with_name(f"{self.items.stem}.verdicts.db")

    def start(self) -> "Review":
        command = [sys.executable, "-m", "okulo.cli.main", "review", str(self.items)]
        command += ["--port", str(self.port), "--cache", str(self.items.parent / "cache"), *self.options]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.match(r"(http://\S+:(\d+)/\S*)", line):
                self.url, self.port = found[1], int(found[2])
                return self
        raise AssertionError(f"okulo review ended: {self.log}")

    def stop(self, sig: int = signal.SIGTERM) -> tuple[int, str]:
        """End it; gives the exit code and what it printed."""
        if self.process is None:
            return 0, ""
        self.process.send_signal(sig)
        said, _ = self.process.communicate(timeout=20)
        code, self.process = self.process.returncode, None
        return code, said

    def held(self) -> list[tuple[Any, ...]]:
        """What holds now: path, question, answer, value, who."""
        with open_store(self.verdicts, create=False) as store:
            return store.current().select("path", "question", "answer", "value", "who").rows()

    def wait_for(self, count: int, who: str = "", timeout_s: float = 10.0) -> list[tuple[Any, ...]]:
        """What holds (by this person), as soon as it is this many."""
        until = time.monotonic() + timeout_s
        while True:
            held = [each for each in self.held() if not who or each[4] == who]
            if len(held) == count or time.monotonic() > until:
                break
            time.sleep(0.03)
        assert len(held) == count, held
        return held
