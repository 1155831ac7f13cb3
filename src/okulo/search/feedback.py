"""What people said of answers: kept beside the index, and made into pictures to learn from."""

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from okulo.algo.graphs import connected_components
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.core.table import Items
from okulo.io.files import write_aside
from okulo.io.tables import write_items
from okulo.search.index import open_index

FOLDER = "feedback"
PAIRS = "pairs.jsonl"
SCHEMA = {"time": pl.String, "query": pl.String, "path": pl.String, "relevant": pl.Boolean, "who": pl.String}


def keep_query(index: Path, name: str, png: bytes) -> str:
    """Keep an uploaded query picture to learn from; gives its path as the index's items have theirs."""
    file = index / FOLDER / f"{name}.png"
    if not file.is_file():
        with write_aside(file) as aside:
            aside.write_bytes(png)
    return f"{index.name}/{FOLDER}/{file.name}"


def add_pair(index: Path, query: str, path: str, relevant: bool | None, who: str = "") -> None:
    """Append what was said of one answer; None takes it back. A line is whole or not there."""
    said = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "query": query,
        "path": path,
        "relevant": relevant,
        "who": who,
    }
    file = index / FOLDER / PAIRS
    try:
        file.parent.mkdir(exist_ok=True)
        with file.open("ab") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            start = b"\n" if opened.tell() and _last_byte(file) != b"\n" else b""  # a writer was killed
            opened.write(start + json.dumps(said, ensure_ascii=False).encode() + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise BadInput(str(file), f"cannot be written ({error.strerror})") from error


def _last_byte(file: Path) -> bytes:
    with file.open("rb") as opened:
        opened.seek(-1, os.SEEK_END)
        return opened.read(1)


def read_pairs(index: Path) -> pl.DataFrame:
    """What holds now: the last word on each pair, and none where it was taken back."""
    file = index / FOLDER / PAIRS
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            said = json.loads(line)
            rows.append({name: said[name] for name in SCHEMA})
        except (ValueError, KeyError, TypeError):  # the half line of a writer that was killed
            continue
    frame = pl.DataFrame(rows, schema=SCHEMA)
    last = frame.unique(["query", "path"], keep="last", maintain_order=True)
    return last.filter(pl.col("relevant").is_not_null())


@dataclass(frozen=True, kw_only=True)
class PairsParams(Params):
    """Write what people called relevant on the search page as a table for `okulo train --recipe embed`."""

    index: Path = param(help="the index", positional=True)
    output: Path = param(help="the table", short="o")


@dataclass(frozen=True)
class PairsReport:
    """What there is to learn from."""

    output: Path
    relevant: int
    not_relevant: int
    pictures: int
    labels: int


def run_pairs(params: PairsParams, progress: Progress = silent) -> PairsReport:
    """Give all pictures that relevant pairs join, however indirectly, one label."""
    del progress
    index = open_index(params.index)
    pairs = read_pairs(params.index)
    good = pairs.filter("relevant")
    if not len(good):
        raise BadInput(
            str(params.index), "has no pairs called relevant", hint="`okulo search-app` collects them"
        )
    names = sorted({*good["query"], *good["path"]})
    number = {name: i for i, name in enumerate(names)}
    joined = np.array([(number[q], number[p]) for q, p in good.select("query", "path").iter_rows()], np.int64)
    group = connected_components(len(names), joined)
    ids = dict(zip(index.items["path"], index.items["id"]))
    frame = pl.DataFrame(
        {"id": [ids.get(name, name) for name in names], "path": names, "label": [f"found {g}" for g in group]}
    )
    write_items(Items(frame, index.root), params.output)
    return PairsReport(params.output, len(good), len(pairs) - len(good), len(names), int(group.max()) + 1)
