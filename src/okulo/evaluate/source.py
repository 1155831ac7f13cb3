"""Which items are measured: a split of a table, all of it, or the pictures of a folder."""

import os
from pathlib import Path

import polars as pl

from okulo.core.errors import BadInput
from okulo.core.table import SPLITS, Items
from okulo.io.images import SUFFIXES
from okulo.io.tables import read_items

ALL = "all"


def pick(items: Items, wanted: str | None, order: tuple[str, ...]) -> tuple[Items, str]:
    """Give the wanted split, or else the first of `order` that holds items; "all" is every item.

    A table without splits is taken whole when nothing is wanted; a wanted split must hold something.

    >>> items = Items(pl.DataFrame({"id": ["a", "b"], "path": ["1", "2"], "split": ["val", "train"]}), Path())
    >>> pick(items, None, ("test", "val"))[1]
    'val'
    """
    if not len(items):
        raise BadInput("table", wanted="at least one item", got="none")
    if wanted == ALL:
        return items, ALL
    if wanted is not None:
        return items.in_split(wanted), wanted
    held = set(items.frame["split"].drop_nulls()) if "split" in items.frame.columns else set()
    for split in order:
        if split in held:
            return items.in_split(split), split
    return items, ALL


def read_source(path: Path) -> Items:
    """Read a table, or make one of the pictures in a folder (and below): only `id`, the path, and `path`."""
    path = Path(path)
    if not path.is_dir():
        return read_items(path)
    found = sorted(
        os.path.relpath(Path(folder) / name, path)
        for folder, _, names in os.walk(path)  # links to folders are not followed
        for name in names
        if Path(name).suffix.lower() in SUFFIXES
    )
    if not found:
        raise BadInput(str(path), wanted=f"pictures ({', '.join(SUFFIXES)})", got="none in it or below")
    return Items(
        pl.DataFrame({"id": found, "path": found}, schema={"id": pl.String, "path": pl.String}), path
    )


def leaks(items: Items, split: str) -> list[str]:
    """Say in plain words why figures on this split may flatter: seen in training, or copies of what was.

    >>> leaks(Items(pl.DataFrame({"id": ["a"], "path": ["1"]}), Path()), "train")
    ['These are training pictures: the model has seen them, and its figures on new ones will be lower.']
    """
    if split == "train":
        return [
            "These are training pictures: the model has seen them, and its figures on new ones will be lower."
        ]
    frame = items.frame
    if split not in SPLITS or "split" not in frame.columns:
        return []
    said = []
    trained = frame.filter(pl.col("split") == "train")
    own = frame.filter(pl.col("split") == split)
    for column, what in (("id", "byte-for-byte copies"), ("group", "near-duplicates")):
        if column in frame.columns:
            count = len(own.filter(pl.col(column).is_in(trained[column].drop_nulls().unique().implode())))
            if count:
                said.append(
                    f"{count:,} of the pictures are {what} of training pictures: the figures flatter."
                )
    return said
