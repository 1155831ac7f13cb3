"""`okulo embed`: a vector for every picture of a table, streamed to disk so that a stopped run goes on."""

import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.core.table import Items
from okulo.core.vectors import Embedded, Embedder
from okulo.curate.descriptor import LENGTH, describe
from okulo.io.files import read_json, write_aside, write_json
from okulo.io.images import decode
from okulo.io.tables import PATH_COLUMNS, read_items, rebased

CHUNK = 512
"""Rows written at a time: what a stopped run loses at most."""


@dataclass(frozen=True, kw_only=True)
class EmbedParams(Params):
    """Add a vector for every picture: what searching, finding copies and choosing what to label work on.

    A stopped run goes on where it was when the same command is given again.
    """

    items: Path = param(help="table of items", positional=True)
    model: str = param(help="model file with an embedding, or `descriptor`: no network, coarser")
    output: Path | None = param(None, help="table to write (default: the same file)", short="o")
    column: str = param("embedding", help="the new column; give another name for a second model")
    engine: str = param("local", help="where the work is done", choices=("local", "ray"))
    root: str = param("", help="folder or URL (s3://…, any fsspec storage; needs ray) that paths start from")
    batch: int = param(32, help="pictures in a batch", low=1, high=4096)
    workers: int | None = param(None, help="threads, or Ray's actors (default: one a core)", low=1, high=4096)
    replace: bool = param(False, help="replace the column if the table has it already")


@dataclass(frozen=True)
class EmbedReport:
    """What was added."""

    output: Path
    column: str
    model: str
    length: int
    embedded: int
    resumed: int
    """Rows that an earlier, stopped run had done."""
    seconds: float
    per_second: float
    findings: Findings


def run(params: EmbedParams, embedder: Embedder, progress: Progress = silent) -> EmbedReport:
    """Add the column; the table is written once, at the end, whole or not at all."""
    items = read_items(params.items)
    if params.column in items.frame.columns and not params.replace:
        raise BadInput(
            "table", f"already has {params.column}", hint="--replace, or --column for another name"
        )
    output = params.output or params.items
    partial = Partial.open(output, params.column, items, embedder)
    start, begun = time.perf_counter(), partial.rows_done
    files = [f"{params.root.rstrip('/')}/{path}" for path in items.frame["path"]] if params.root else None
    todo = (files or [str(file) for file in items.files()])[begun:]
    stream = progress(embedder.embed(todo), label="embedding", total=len(todo)) if todo else iter(())
    while rows := list(islice(stream, CHUNK)):
        partial.add(rows, embedder.length)
    findings = partial.finish(_moved(items, output.resolve().parent), output)
    seconds = time.perf_counter() - start
    return EmbedReport(
        output=output,
        column=params.column,
        model=params.model,
        length=embedder.length,
        embedded=len(items) - len(findings),
        resumed=begun,
        seconds=seconds,
        per_second=len(todo) / max(seconds, 1e-9),
        findings=findings,
    )


def _moved(items: Items, root: Path) -> pl.DataFrame:
    """The table with its paths starting from the folder it will lie in."""
    names = [name for name in PATH_COLUMNS if name in items.frame.columns]
    return items.frame.with_columns(rebased(items.frame[name], items.root, root) for name in names)


class Partial:
    """What is done so far, in a hidden folder beside the output: a plan, and chunks, each whole or absent."""

    def __init__(self, folder: Path, column: str, rows: int) -> None:
        self.folder = folder
        self.column = column
        self._rows = rows

    @classmethod
    def open(cls, output: Path, column: str, items: Items, embedder: Embedder) -> "Partial":
        """Take up a stopped run of the same pictures and model, or begin anew."""
        folder = output.with_name(f".{output.name}.{column}.partial")
        said = "\n".join(f"{id}\t{path}" for id, path in items.frame.select("id", "path").iter_rows())
        plan = {
            "table": hashlib.blake2b(said.encode(), digest_size=16).hexdigest(),
            "model": embedder.name,
            "rows": len(items),
            "chunk": CHUNK,
        }
        there = folder / "plan.json"
        if not (there.is_file() and read_json(there) == plan):
            shutil.rmtree(folder, ignore_errors=True)
            write_json(there, plan)
        return cls(folder, column, len(items))

    @property
    def rows_done(self) -> int:
        """How many rows, from the first, are on disk."""
        count = 0
        while self._chunk(count).is_file():
            count += 1
        return min(count * CHUNK, self._rows)

    def add(self, rows: Sequence[Embedded], length: int) -> None:
        """Write the next chunk."""
        matrix = np.zeros((len(rows), length), np.float32)
        for index, row in enumerate(rows):
            if row.vector is not None:
                matrix[index] = row.vector
        known = pl.Series("known", [row.vector is not None for row in rows])
        vectors = pl.Series("vector", matrix, dtype=pl.Array(pl.Float32, length))
        frame = pl.DataFrame([vectors, known, pl.Series("error", [r.error for r in rows], dtype=pl.String)])
        masked = pl.when(pl.col("known")).then(pl.col("vector")).otherwise(None).alias("vector")
        with write_aside(self._chunk(self.rows_done // CHUNK)) as aside:
            frame.select(masked, "error").write_parquet(aside, compression="uncompressed")

    def finish(self, frame: pl.DataFrame, output: Path) -> Findings:
        """Put the chunks beside the table's columns, row group by row group, and remove them."""
        frame = frame.drop(self.column, strict=False)
        parts, bad = [], []
        for index, start in enumerate(range(0, len(frame), CHUNK)):
            chunk = pl.scan_parquet(self._chunk(index))
            vector = chunk.select(pl.col("vector").alias(self.column))
            parts.append(pl.concat([frame.slice(start, CHUNK).lazy(), vector], how="horizontal"))
            errors = chunk.select("error").collect()["error"]
            paths = frame["path"].slice(start, CHUNK)
            bad += [(path, "unreadable", 1.0, error) for path, error in zip(paths, errors) if error]
        with write_aside(output) as aside:
            if parts:
                pl.concat(parts).sink_parquet(aside)
            else:
                empty = pl.Series(self.column, [], dtype=pl.Array(pl.Float32, 1))
                frame.with_columns(empty).write_parquet(aside)
        shutil.rmtree(self.folder)
        return Findings.of(bad)

    def _chunk(self, index: int) -> Path:
        return self.folder / f"{index:08d}.parquet"


def describe_bytes(data: bytes) -> Embedded:
    """Describe one picture's bytes without a network; what cannot be decoded is an answer with `error`."""
    try:
        return Embedded(describe(decode(data)))
    except BadInput as error:  # one bad picture must not stop the rest
        return Embedded(None, str(error))


def descriptor_embedder(workers: int) -> Embedder:
    """Embed with the network-free descriptor on this many threads."""

    def one(file: str) -> Embedded:
        try:
            return describe_bytes(Path(file).read_bytes())
        except OSError as error:
            return Embedded(None, f"cannot be read ({error.strerror})")

    def embed(files: Sequence[str]) -> Iterator[Embedded]:
        with ThreadPoolExecutor(workers, thread_name_prefix="okulo-embed") as pool:
            for start in range(0, len(files), CHUNK):
                yield from pool.map(one, files[start : start + CHUNK])

    return Embedder("descriptor 1", LENGTH, embed)
