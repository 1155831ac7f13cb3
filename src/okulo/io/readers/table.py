"""An existing Parquet table: okulo's own, or any with a column of paths."""

from pathlib import Path

import polars as pl

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.core.table import COLUMNS
from okulo.io.readers.columns import guess_label, guess_path
from okulo.io.readers.listing import Listing, Places
from okulo.io.walk import Row

COMPUTED = ("id", "width", "height", "bytes", "mtime_ns", "mode", "orientation")
"""What a scan finds out by itself."""


def read(path: Path, *, root: Path | None = None, path_column: str = "", label_column: str = "") -> Listing:
    """Read a Parquet table of items; its paths start from `root` (default: its own folder)."""
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadInput(
            str(path), f"cannot be read as Parquet ({str(error).partition(chr(10))[0]})"
        ) from error
    named = guess_path(frame.columns, path_column, str(path))
    if frame[named].dtype != pl.String:
        raise BadInput(f"column {named}", wanted="paths as text", got=frame[named].dtype)
    label = guess_label([name for name in frame.columns if name != named], label_column, str(path))
    frame = frame.rename({named: "path"} | ({label: "label"} if label else {}))
    if "label" in frame.columns:
        frame = frame.with_columns(pl.col("label").cast(pl.String))
    top = (root or path.resolve().parent).resolve()
    return place(frame.drop([name for name in COMPUTED if name in frame.columns]), top, "table")


def place(frame: pl.DataFrame, root: Path, form: str) -> Listing:
    """Find the file of every row; rows without one become findings."""
    places = Places(root)
    found = [places.find(name or "") for name in frame["path"]]
    rows: list[Row] = [each for each in found if not isinstance(each, str)]
    there = [each if isinstance(each, str) else None for each in found]
    kept = frame.with_columns(pl.Series("path", there, dtype=pl.String)).filter(pl.col("path").is_not_null())
    once = kept.unique("path", keep="first", maintain_order=True)
    if len(once) < len(kept):
        rows += [
            (path, "listed-twice", 0.5, "the list names it more than once; the first was taken")
            for path in kept.filter(~pl.col("path").is_first_distinct())["path"]
        ]
    wrong = [
        name for name in once.columns if name in COLUMNS and name not in ("embedding", "probabilities")
        and once[name].dtype not in (COLUMNS[name].dtype, pl.Null)
    ]  # fmt: skip
    once = once.with_columns(pl.col(name).cast(COLUMNS[name].dtype, strict=False) for name in wrong)
    return Listing(root, once, form, Findings.of(rows))
