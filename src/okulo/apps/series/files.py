"""Recordings out of files: PostgreSQL's dumps without a server, CSV and Parquet; streamed."""

import gzip
import io
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64

from okulo.apps.series.batch import Batch, Where, text_batch
from okulo.apps.series.dump import DumpColumns, copied_blocks
from okulo.apps.series.samples import frames_to_batches, samples_of
from okulo.apps.series.threads import in_order
from okulo.core.errors import BadInput, need
from okulo.core.nouns import Series

CHUNK = 8 << 20
ROWS = 65_536


def file_source(path: Path, table: str, where: Where) -> Callable[[Int64[np.ndarray, " k"]], Iterator[Batch]]:
    """Say how this file is read, by what it begins with; ids that are known are left to the caller."""
    kind = _kind(path)
    if table and kind in ("csv", "parquet"):
        raise BadInput("table", "belongs to a database or a dump", hint=f"{path} is one table already")
    readers: dict[str, Callable[[], Iterator[Batch]]] = {
        "parquet": lambda: _parquet(path, where),
        "csv": lambda: _csv(path, where),
        "dump": lambda: _dump(_open(path), str(path), table, where),
        "archive": lambda: _dump(_restored(path, table), str(path), table, where),
    }
    return lambda known: readers[kind]()


def _kind(path: Path) -> str:
    if path.is_dir():
        if (path / "toc.dat").is_file():
            return "archive"
        raise BadInput(str(path), "is a folder", hint="give a dump, a CSV or a Parquet file")
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise BadInput(str(path), "is empty")
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:5] == b"PGDMP" or head[257:262] == b"ustar":
        return "archive"
    name = path.name.lower().removesuffix(".gz")
    return "csv" if name.endswith((".csv", ".tsv", ".txt")) else "dump"


def _open(path: Path) -> Any:
    """A context that gives the file's bytes, unpacked."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def find_program(name: str) -> str:
    """One of PostgreSQL's programs: on the PATH, or where Debian keeps them."""
    found = shutil.which(name)
    if found:
        return found
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    raise BadInput(
        name, "is not installed", hint="a dump of format custom needs PostgreSQL's client programs"
    )


@contextmanager
def _restored(path: Path, table: str) -> Iterator[Any]:
    """The rows of an archive, as the text `pg_restore` makes of it; no server is needed."""
    chosen = ["--table", table.rpartition(".")[2]] if table else []
    command = [find_program("pg_restore"), "--data-only", *chosen, "-f", "-", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            yield process.stdout
        except BadInput as error:
            if not process.stdout.read(1):  # it has ended; did it say why?
                _check(process, str(path), error)
            raise
        finally:
            if process.poll() is None and process.stdout.read(1):
                process.kill()  # more rows than were wanted
        _check(process, str(path), None)


def _check(process: "subprocess.Popen[bytes]", name: str, cause: BadInput | None) -> None:
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace").strip()
    if process.wait() > 0:
        reason = said.partition("\n")[0].removeprefix("pg_restore: error: ")
        raise BadInput(name, f"cannot be read by pg_restore ({reason})", hint=_newer(reason)) from cause


def _newer(reason: str) -> str:
    return (
        "a newer PostgreSQL made it: install its client programs" if "unsupported version" in reason else ""
    )


def _dump(opened: Any, name: str, table: str, where: Where) -> Iterator[Batch]:
    with opened as file:
        blocks = copied_blocks(file, name, table, where.columns)
        try:
            if where.time:
                yield from frames_to_batches(_sampled(blocks, where))
            else:
                yield from in_order(_parse_block, blocks, where)
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(name, f"ends too early or is damaged ({error})") from error


def _parse_block(block: tuple[DumpColumns, bytes], where: Where) -> Batch:
    columns, data = block
    return text_batch(np.frombuffer(data, np.uint8), columns.index(where.id), columns.index(where.values))


def _sampled(blocks: Iterator[tuple[DumpColumns, bytes]], where: Where) -> Iterator[pl.DataFrame]:
    for columns, data in blocks:
        frame = pl.read_csv(
            io.BytesIO(data),
            has_header=False,
            new_columns=list(columns.names),
            separator="\t",
            quote_char=None,
            null_values="\\N",
            infer_schema=False,
        )
        yield samples_of(frame, where)


def _csv(path: Path, where: Where) -> Iterator[Batch]:
    separator = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    frames = _csv_frames(path, separator)
    if where.time:
        yield from frames_to_batches(samples_of(_having(frame, path, where), where) for frame in frames)
        return
    for frame in frames:
        rows = _having(frame, path, where).select(
            pl.col(where.id).str.strip_chars(), pl.col(where.values).str.strip_chars()
        )
        # As COPY writes it: a tab between, no quotes; blanks and tabs within a list say nothing.
        text = rows.select(
            pl.concat_str(
                pl.col(where.id).fill_null("\\N"),
                pl.lit("\t"),
                pl.col(where.values).str.replace_all(r"\s+", " ").fill_null("\\N"),
                pl.lit("\n"),
            )
        ).to_series()
        yield text_batch(np.frombuffer("".join(text).encode(), np.uint8), 0, 1)


def _csv_frames(path: Path, separator: str) -> Iterator[pl.DataFrame]:
    """The rows as text, some thousands at a time; a quoted field must not go over lines."""
    with _open(path) as file:
        head = file.readline()
        left = b""
        while data := file.read(CHUNK):
            cut = data.rfind(b"\n") + 1
            if cut:
                yield _csv_frame(path, head + left + data[:cut], separator)
                left = data[cut:]
            else:
                left += data
        if left.strip():
            yield _csv_frame(path, head + left, separator)


def _csv_frame(path: Path, data: bytes, separator: str) -> pl.DataFrame:
    try:
        return pl.read_csv(
            io.BytesIO(data), separator=separator, infer_schema=False, truncate_ragged_lines=True
        )
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise BadInput(str(path), f"cannot be read as CSV ({reason})") from error


def _having(frame: pl.DataFrame, path: Path, where: Where) -> pl.DataFrame:
    for name in where.columns:
        if name not in frame.columns:
            raise BadInput(
                str(path),
                wanted=f"a column {name!r}",
                got=", ".join(frame.columns),
                hint="--id, --values and --time say what they are called",
            )
    return frame


def _parquet(path: Path, where: Where) -> Iterator[Batch]:
    pq: Any = need("pyarrow.parquet", extra="series", verb="okulo series import")
    pa: Any = need("pyarrow", extra="series", verb="okulo series import")
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(str(path), f"cannot be read as Parquet ({error})") from error
    with file:
        names = file.schema_arrow.names
        _having(pl.DataFrame({name: [] for name in names}), path, where)
        batches = file.iter_batches(ROWS, columns=list(where.columns))
        if where.time:
            yield from frames_to_batches(samples_of(_to_polars(batch), where) for batch in batches)
            return
        for batch in batches:
            yield _lists(pa, batch, path, where)


def _to_polars(batch: Any) -> pl.DataFrame:
    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _lists(pa: Any, batch: Any, path: Path, where: Where) -> Batch:
    try:
        lists = batch[where.values].cast(pa.list_(pa.float32()), safe=False)
        ids = batch[where.id].cast(pa.int64())
    except (pa.ArrowException, ValueError) as error:
        raise BadInput(
            str(path),
            wanted="whole numbers as ids, and lists of numbers",
            got=f"{batch[where.id].type} and {batch[where.values].type}",
            hint="is there one row a sample? then name its time with --time",
        ) from error
    empty = int(lists.null_count)
    good = ids.is_valid()
    no_id = len(ids) - int(good.true_count)
    if no_id:
        lists, ids = lists.filter(good), ids.filter(good)
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    said = {name: count for name, count in (("no id", no_id), ("no values", empty)) if count}
    return Batch(Series(ids.to_numpy(zero_copy_only=False).astype(np.int64), values, offsets), said)
