"""The table: one row an item. Every column okulo knows is declared here and checked on load.

Verbs read a table and add columns; nothing is overwritten silently, and pixels never live in the table.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from okulo.core.errors import BadInput

BOX = pl.Struct({"x0": pl.Float32, "y0": pl.Float32, "x1": pl.Float32, "y1": pl.Float32, "label": pl.String})


@dataclass(frozen=True)
class Column:
    """A column okulo knows: its type on disk and in memory, and what it says."""

    dtype: Any  # a polars type, class or instance; beartype cannot read their union
    doc: str


COLUMNS: Mapping[str, Column] = {
    "id": Column(pl.String, "hash of the file's bytes, 32 hexadecimal digits"),
    "path": Column(pl.String, "the file, relative to the table's folder, or absolute"),
    "width": Column(pl.Int32, "pixels, as the picture is seen (EXIF orientation applied)"),
    "height": Column(pl.Int32, "pixels, as the picture is seen"),
    "bytes": Column(pl.Int64, "size of the file"),
    "mtime_ns": Column(pl.Int64, "when the file last changed, so that a re-scan can skip it"),
    "mode": Column(pl.String, "pixel format as Pillow names it: RGB, L, P, RGBA, CMYK, …"),
    "orientation": Column(pl.Int8, "EXIF orientation, 1 to 8 (1: as stored)"),
    "split": Column(pl.String, "train, val or test"),
    "label": Column(pl.String, "the one class the item belongs to"),
    "labels": Column(pl.List(pl.String), "all classes that hold"),
    "labelled_for": Column(
        pl.List(pl.String), "the classes somebody looked for: only there 'not in labels' means 'no'"
    ),
    "boxes": Column(pl.List(BOX), "objects: xyxy in pixels of the seen picture, and label"),
    "mask": Column(pl.String, "file of the mask, relative as `path` is"),
    "embedding": Column(pl.Float32, "vector of the picture, as Array(Float32, d)"),
    "group": Column(pl.Int64, "items of one group are near-duplicates and never straddle splits"),
    "group_size": Column(pl.Int32, "how many items the group holds"),
    "keep": Column(pl.Boolean, "the one of its group to keep"),
    "pred": Column(pl.String, "the class the model says, null for 'don't know'"),
    "best": Column(pl.String, "the class with the highest probability, known or not"),
    "confidence": Column(pl.Float32, "probability of the best class"),
    "probabilities": Column(pl.Float32, "one per class, as Array(Float32, k)"),
    "severity": Column(pl.Float32, "how surely something is wrong with the item, 0 to 1"),
    "issue": Column(pl.String, "the gravest thing found wrong with the item"),
    "suggested": Column(pl.String, "the class the label should be, if it is wrong"),
    "rank": Column(pl.Int32, "place in the queue of what a person should look at, from 1"),
    "verdict": Column(pl.String, "what a person decided"),
    "label_before": Column(pl.String, "the label before a verdict changed it"),
    "labels_before": Column(pl.List(pl.String), "the labels before verdicts changed them"),
    "reason": Column(pl.String, "why the item was picked, in plain words"),
}

VECTORS = ("embedding", "probabilities")
SPLITS = ("train", "val", "test")


def check_table(frame: pl.DataFrame) -> None:
    """Raise BadInput unless the table has `id` and `path` and every known column has its declared type.

    >>> check_table(pl.DataFrame({"id": ["a"], "path": [1]}))
    Traceback (most recent call last):
    okulo.core.errors.BadInput: column path: expected String, got Int64
    """
    for name in ("id", "path"):
        if name not in frame.columns:
            raise BadInput(
                "table",
                wanted=f"a column {name!r}",
                got=", ".join(frame.columns) or "no columns",
                hint="is this a table of items? `okulo scan` makes one",
            )
        if frame[name].null_count():
            raise BadInput(f"column {name}", wanted="a value in every row", got="empty ones")
    for name in frame.columns:
        if name in COLUMNS:
            _check_type(frame, name)
    if "split" in frame.columns:
        unknown = set(frame["split"].drop_nulls().unique()) - set(SPLITS)
        if unknown:
            raise BadInput("column split", wanted="train, val or test", got=", ".join(sorted(unknown)))


def _check_type(frame: pl.DataFrame, name: str) -> None:
    wanted, got = COLUMNS[name].dtype, frame.schema[name]
    if got == pl.Null:  # a column with no value at all
        return
    if name in VECTORS:
        if not (isinstance(got, pl.Array | pl.List) and got.inner == pl.Float32):
            raise BadInput(f"column {name}", wanted="Array(Float32)", got=got)
    elif got != wanted:
        raise BadInput(f"column {name}", wanted=wanted, got=got)


def add_columns(frame: pl.DataFrame, columns: pl.DataFrame, *, replace: bool = False) -> pl.DataFrame:
    """Put `columns` (row i for row i) beside the table's; an existing name is refused unless `replace`.

    >>> add_columns(pl.DataFrame({"id": ["a"]}), pl.DataFrame({"keep": [True]})).columns
    ['id', 'keep']
    """
    taken = [name for name in columns.columns if name in frame.columns]
    if taken and not replace:
        raise BadInput(
            "table", f"already has {', '.join(taken)}", hint="write to another file, or ask to replace them"
        )
    if len(columns) != len(frame):
        raise BadInput("columns", wanted=f"{len(frame)} rows", got=len(columns))
    return frame.with_columns(columns.get_columns())


def fingerprint(frame: pl.DataFrame) -> str:
    """Name the data: a hash over what each item is and is called, whatever the order of the rows.

    >>> a = pl.DataFrame({"id": ["x", "y"], "label": ["cat", "dog"]})
    >>> fingerprint(a) == fingerprint(a.reverse())
    True
    >>> fingerprint(a) == fingerprint(a.with_columns(label=pl.lit("cat")))
    False
    """
    said = [
        name
        for name in ("id", "split", "label", "labels", "labelled_for", "boxes", "mask")
        if name in frame.columns
    ]
    rows = sorted(repr(row) for row in frame.select(said).iter_rows())
    return hashlib.blake2b("\n".join(rows).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Items:
    """A table and the folder its relative paths start from.

    >>> items = Items(pl.DataFrame({"id": ["a"], "path": ["cat/1.png"]}), Path("/data"))
    >>> len(items), items.files()
    (1, [PosixPath('/data/cat/1.png')])
    """

    frame: pl.DataFrame
    root: Path

    def __post_init__(self) -> None:
        check_table(self.frame)

    def __len__(self) -> int:
        return len(self.frame)

    def files(self, column: str = "path") -> list[Path]:
        """Where each item's file is."""
        return [self.root / path for path in self.frame[column]]

    def where(self, predicate: pl.Expr) -> "Items":
        """Keep the rows for which this holds."""
        return replace(self, frame=self.frame.filter(predicate))

    def in_split(self, split: str) -> "Items":
        """Keep the rows of one split; a split with no rows is refused."""
        if "split" not in self.frame.columns:
            raise BadInput("table", "has no column split", hint="`okulo scan --split 0.8/0.1/0.1` makes one")
        part = self.where(pl.col("split") == split)
        if not len(part):
            counts = self.frame["split"].value_counts(sort=True).rows()
            has = ", ".join(f"{name} ({count})" for name, count in counts)
            raise BadInput(
                f"split {split}", wanted="at least one item", got="none", hint=f"the table has {has}"
            )
        return part

    def add(self, columns: pl.DataFrame, *, replace_columns: bool = False) -> "Items":
        """Return the table with these columns beside its own."""
        return replace(self, frame=add_columns(self.frame, columns, replace=replace_columns))
