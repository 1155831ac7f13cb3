"""Read and write tables of items (Parquet)."""

import os
from pathlib import Path

import polars as pl

from okulo.core.errors import BadInput
from okulo.core.table import Items
from okulo.io.files import write_aside

PATH_COLUMNS = ("path", "mask")


def read_items(path: Path) -> Items:
    """Read a table and check it; its relative paths start from the folder it lies in."""
    path = Path(path)
    if path.is_dir():
        raise BadInput(
            str(path), "is a folder", hint=f"`okulo scan {path} -o items.parquet` makes a table of it"
        )
    if not path.exists():
        raise BadInput(str(path), "does not exist")
    try:
        frame = pl.read_parquet(path)
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
        _rebased(items.frame[name], items.root, root) for name in PATH_COLUMNS if name in items.frame.columns
    )
    with write_aside(path) as aside:
        frame.write_parquet(aside)
    return Items(frame, root)


def _rebased(column: pl.Series, old: Path, new: Path) -> pl.Series:
    if old == new or column.dtype == pl.Null:
        return column

    def move(path: str | None) -> str | None:
        if path is None:
            return None
        whole = os.path.normpath(old / path)
        return os.path.relpath(whole, new) if Path(whole).is_relative_to(new) else whole

    return pl.Series(column.name, [move(path) for path in column], dtype=pl.String)
