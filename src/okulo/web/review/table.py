"""The table as the page needs it: columns as arrays, queues of rows, groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Int32, Int64

from okulo.core.errors import BadInput
from okulo.core.table import Items
from okulo.io.tables import read_items

TOLD = (
    *("id", "path", "width", "height", "split", "label", "labels", "labelled_for"),
    *("issue", "severity", "suggested", "rank", "reason", "pred", "best", "confidence"),
    *("group", "group_size", "keep", "verdict"),
)
"""Columns the page reads; vectors are read when a tab asks for them."""

SHOWN = tuple(name for name in TOLD if name not in ("labelled_for", "rank"))
EVERY, ANY, NONE, IS = "*", "+", "-", "="
"""Filters: all pass; those that have a value; those that have none; `=cat`, those whose value is cat."""
MOST_NAMES = 2000


@dataclass(frozen=True)
class Where:
    """Which rows a queue holds."""

    split: str = EVERY
    label: str = EVERY
    issue: str = EVERY


@dataclass(frozen=True)
class Codes:
    """A column of words as numbers: `names[codes[row]]`, -1 where there is none."""

    names: tuple[str, ...]
    codes: Int32[np.ndarray, " n"]

    def counts(self) -> list[tuple[str, int]]:
        """How often each name occurs, in the order of the names; "" last, for rows without one."""
        found = np.bincount(self.codes + 1, minlength=len(self.names) + 1)
        named = list(zip(self.names, found[1:].tolist()))
        return named + ([("", int(found[0]))] if found[0] else [])


@dataclass(frozen=True)
class Group:
    """Rows that are near-duplicates of one another."""

    number: int
    rows: tuple[int, ...]
    leak: bool
    """They lie in different splits."""
    contradiction: bool
    """They carry different labels."""


class ReviewTable:
    """Items to decide on; row i is row i of the file."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        items = read_items(self.path, columns=TOLD)
        self.frame, self.root = _with_words(items), items.root
        if not len(self.frame):
            raise BadInput(str(path), "has no items")

    def __len__(self) -> int:
        return len(self.frame)

    def has(self, *names: str) -> bool:
        """Whether all these columns are there and hold something."""
        return all(name in self.frame.columns and self.frame[name].null_count() < len(self) for name in names)

    @property
    def several(self) -> bool:
        """Whether an item can be of several classes."""
        return "labels" in self.frame.columns and not self.has("label")

    def codes(self, name: str) -> Codes:
        """A column of words as numbers, names sorted."""
        if name not in self._codes:
            self._codes[name] = _encode(self.frame, name)
        return self._codes[name]

    @cached_property
    def _codes(self) -> dict[str, Codes]:
        return {}

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Every class that is named anywhere."""
        named: set[str] = set()
        for name in ("label", "suggested", "labels", "labelled_for"):
            if name in self.frame.columns:
                values = self.frame[name].drop_nulls()
                named |= set(values.explode() if values.dtype == pl.List else values.unique())
        return tuple(sorted(named - {None}))

    @cached_property
    def order(self) -> Int64[np.ndarray, " n"]:
        """Rows, the surest fault first: by `rank`, else by `severity`, else as they come."""
        if self.has("rank"):
            return np.argsort(self.frame["rank"].fill_null(2**31 - 1).to_numpy(), kind="stable").astype(
                np.int64
            )
        if not self.has("severity"):
            return np.arange(len(self))
        severity = self.frame["severity"].fill_null(-1).fill_nan(-1).to_numpy()
        return np.argsort(-severity, kind="stable").astype(np.int64)

    def queue(self, where: Where) -> Int32[np.ndarray, " m"]:
        """Rows for which this holds, the surest fault first."""
        chosen = np.ones(len(self), bool)
        for name, wanted in (("split", where.split), ("label", where.label), ("issue", where.issue)):
            if wanted != EVERY:
                chosen &= self._is(name, wanted)
        return np.asarray(self.order[chosen[self.order]], np.int32)

    def _is(self, name: str, wanted: str) -> Bool[np.ndarray, " n"]:
        if name == "label" and self.several:
            return self._is_of(wanted)
        column = self.codes(name)
        if wanted in (ANY, NONE):
            return np.asarray((column.codes >= 0) == (wanted == ANY))
        named = wanted.removeprefix(IS)
        place = column.names.index(named) if named in column.names else -2
        return np.asarray(column.codes == place)

    def _is_of(self, wanted: str) -> Bool[np.ndarray, " n"]:
        """Whether a class is among an item's labels, or suggested for it."""
        labels = self.frame["labels"]
        if wanted in (ANY, NONE):
            return np.asarray((labels.list.len().fill_null(0) > 0).to_numpy() == (wanted == ANY))
        named = wanted.removeprefix(IS)
        holds = labels.list.contains(named).fill_null(False)
        if self.has("suggested"):
            holds |= (self.frame["suggested"] == named).fill_null(False)
        return np.asarray(holds.to_numpy(), bool)

    def counts(self, name: str) -> list[tuple[str, int]]:
        """How many items there are of each name, "" last for those without one; of several, all count."""
        if name != "label" or not self.several:
            return self.codes(name).counts()
        every = self.frame["labels"].explode(empty_as_null=True)
        found = every.value_counts(name="n").sort(every.name, nulls_last=True)
        return [(label or "", count) for label, count in found.rows()]

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Groups of two and more: leaks first, then contradictions, then the largest."""
        if not self.has("group"):
            return ()
        named = [name for name in ("split", "label") if name in self.frame.columns]
        counted = (
            self.frame.lazy()
            .select("group", *named)
            .with_row_index("row")
            .drop_nulls("group")
            .group_by("group")
            .agg("row", *(pl.col(name).drop_nulls().n_unique().alias(f"{name}s") for name in named))
            .filter(pl.col("row").list.len() > 1)
            .collect()
        )
        made = [
            Group(
                each["group"],
                tuple(sorted(each["row"])),
                each.get("splits", 0) > 1,
                each.get("labels", 0) > 1,
            )
            for each in counted.iter_rows(named=True)
        ]
        return tuple(sorted(made, key=lambda g: (not g.leak, not g.contradiction, -len(g.rows), g.number)))

    @cached_property
    def grouped(self) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " g"]]:
        """The rows of all groups one after another, and where each group begins."""
        sizes = np.array([len(group.rows) for group in self.groups], np.int64)
        rows = np.array([row for group in self.groups for row in group.rows], np.int64)
        return rows, np.cumsum(sizes) - sizes

    @cached_property
    def rows_of(self) -> Mapping[str, tuple[int, ...]]:
        """Rows by `id`: files of the same bytes share theirs."""
        found: dict[str, tuple[int, ...]] = {}
        for row, item in enumerate(self.frame["id"]):
            found[item] = (*found.get(item, ()), row)
        return found

    def items(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """What the page shows of these rows."""
        if any(not 0 <= row < len(self) for row in rows):
            raise BadInput("rows", wanted=f"numbers from 0 to {len(self) - 1}", got=rows)
        shown = [name for name in SHOWN if name in self.frame.columns]
        part = self.frame.select(shown)[list(rows)]
        return [{"row": row, **said} for row, said in zip(rows, part.iter_rows(named=True))]

    def find(self, text: str, most: int = 200) -> list[int]:
        """Rows whose id begins with the text, or whose path holds it, case aside."""
        if not text:
            return []
        text = text.lower()
        held = self._lower_paths.str.contains(text, literal=True) | self.frame["id"].str.starts_with(text)
        return held.arg_true().head(most).to_list()

    @cached_property
    def _lower_paths(self) -> pl.Series:
        return self.frame["path"].str.to_lowercase()

    def outside(self, root: Path) -> int:
        """How many items' paths lead out of this folder, symbolic links not looked at."""
        start = f"{root.resolve()}/"
        paths = self.frame["path"]
        absolute = paths.str.starts_with("/") & ~paths.str.starts_with(start)
        climbing = paths.str.contains(r"(^|/)\.\.(/|$)")
        return int((absolute | climbing).sum())


def _with_words(items: Items) -> pl.DataFrame:
    """Columns of other verbs as the page reads them: words as strings, lists of words joined."""
    frame = items.frame
    for name in ("issue", "suggested", "reason"):
        if name not in frame.columns:
            continue
        if isinstance(frame.schema[name], pl.List):
            frame = frame.with_columns(pl.col(name).list.join(", ").replace("", None))
        elif frame.schema[name] != pl.String:
            frame = frame.with_columns(pl.col(name).cast(pl.String))
    return frame


def _encode(frame: pl.DataFrame, name: str) -> Codes:
    if name not in frame.columns:
        return Codes((), np.full(len(frame), -1, np.int32))
    column = frame[name]
    if isinstance(column.dtype, pl.List):
        column = column.list.sort().list.join(", ").replace("", None)
    column = column.cast(pl.String)
    names = column.drop_nulls().unique().sort().to_list()
    ranks = column.rank("dense").cast(pl.Int32).fill_null(0).to_numpy()
    return Codes(tuple(names), (ranks - 1).astype(np.int32))
