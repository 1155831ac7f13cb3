"""Read and write tables of items (Parquet)."""

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.core.table import Items
from okulo.io.files import write_aside

PATH_COLUMNS = ("path", "mask")


def read_items(path: Path, *, columns: Sequence[str] | None = None) -> Items:
    """Read a table and check it; its relative paths start from the folder it lies in.

    Of `columns`, where they are named, those are read that the table has.
    """
    path = Path(path)
    if path.is_dir():
        raise BadInput(
            str(path), "is a folder", hint=f"`okulo scan {path} -o items.parquet` makes a table of it"
        )
    if not path.exists():
        raise BadInput(str(path), "does not exist")
    try:
        if columns is not None:
            has = pl.read_parquet_schema(path)
            columns = [name for name in has if name in columns]
        frame = pl.read_parquet(path, columns=columns)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise BadInput(str(path), f"cannot be read as Parquet ({reason})") from error
    return Items(frame, path.resolve().parent)


def write_items(items: Items, path: Path) -> Items:
    """Write a table, whole or not at all, and give it back as `read_items` would.

    Paths become relative to the table's new folder where the files lie below it, else absolute: a folder
    with its table in it can be moved.
    """
    root = Path(path).resolve().parent
    frame = items.frame.with_columns(
        rebased(items.frame[name], items.root, root) for name in PATH_COLUMNS if name in items.frame.columns
    )
    write_parquet(frame, path)
    return Items(frame, root)


def write_findings(findings: Findings, root: Path, path: Path, *, general: Sequence[str] = ()) -> None:
    """Write findings whose items start from `root`, so that they join with the table beside by its paths.

    Findings of the `general` kinds are about no single file; their item stays as it is.
    """
    here = Path(path).resolve().parent
    write_parquet(_rebased_items(findings.frame, root, here, general), path)


def read_findings(path: Path, root: Path, *, general: Sequence[str] = ()) -> Findings:
    """Read what `write_findings` wrote, the items relative to `root` again."""
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise BadInput(str(path), f"cannot be read as Parquet ({reason})") from error
    return Findings(_rebased_items(Findings(frame).frame, Path(path).resolve().parent, root, general))


def _rebased_items(frame: pl.DataFrame, old: Path, new: Path, general: Sequence[str]) -> pl.DataFrame:
    moved = rebased(frame["item"], old, new)
    stays = pl.col("kind").is_in(list(general))
    return frame.with_columns(pl.when(stays).then(pl.col("item")).otherwise(moved).alias("item"))


def write_parquet(frame: pl.DataFrame, path: Path, *, pack: bool = True) -> None:
    """Write any table, whole or not at all; measured values hardly pack, and packing them takes time."""
    with write_aside(path) as aside:
        try:
            frame.write_parquet(aside, compression="zstd" if pack else "uncompressed")
        except pl.exceptions.PolarsError as error:  # how it reports a full disk, at times
            raise OSError(None, str(error).partition("\n")[0]) from error


def rebased(column: pl.Series, old: Path, new: Path) -> pl.Series:
    """Make paths that start from `old` start from `new`; those that do not lie below it become absolute.

    >>> rebased(pl.Series("path", ["a.png", "/x/b.png"]), Path("/data/cats"), Path("/data")).to_list()
    ['cats/a.png', '/x/b.png']
    """
    if old == new or column.dtype == pl.Null:
        return column
    start = f"{new}/"

    def move(path: str | None) -> str | None:
        if path is None:
            return None
        whole = os.path.normpath(f"{old}/{path}" if not path.startswith("/") else path)
        return whole.removeprefix(start)

    return pl.Series(column.name, [move(path) for path in column], dtype=pl.String)
