"""What the page asks for, as plain functions of the table, the verdicts, the vectors and the copies."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32, UInt8, UInt16

from okulo.core.errors import BadInput
from okulo.core.report import to_json
from okulo.curate.verdicts import Verdict
from okulo.io.images import decode, encode_png
from okulo.web.review.difference import difference
from okulo.web.review.held import STATES, Held
from okulo.web.review.table import EVERY, MOST_NAMES, ReviewTable, Where
from okulo.web.review.vectors import Vectors
from okulo.web.thumbnails import SIZES, Thumbnails

COLOURED_BY = ("label", "split", "issue", "suggested")
KINDS = (EVERY, "leak", "contradiction")
MOST_ROWS = 500
"""Rows told of at once."""
LARGE_GROUP = 200
"""Members of a group that are shown."""


@dataclass(frozen=True)
class Site:
    """Everything the page is made of."""

    table: ReviewTable
    held: Held
    thumbnails: Thumbnails
    vectors: Vectors | None
    who: str = ""

    def summary(self) -> dict[str, Any]:
        """What the page must know first."""
        table = self.table
        return {
            "name": table.path.name,
            "rows": len(table),
            "root": str(self.thumbnails.root),
            "outside": table.outside(self.thumbnails.root),
            "verdicts": os.path.basename(self.held.store.name),  # noqa: PTH119  # may be a URL
            "who": self.who,
            "several": table.several,
            "classes": list(table.classes[:MOST_NAMES]),
            "counts": {name: table.counts(name)[:MOST_NAMES] for name in ("split", "label", "issue")},
            "audited": table.has("issue") or table.has("severity"),
            "groups": len(table.groups),
            "vectors": self.vectors is not None,
            "methods": list(self.vectors.methods) if self.vectors else [],
            "coloured_by": [name for name in COLOURED_BY if table.has(name)],
            "newest": self.held.newest,
        }

    def queue(self, where: Where, state: str) -> Int32[np.ndarray, " m"]:
        """Rows whose labels to look at, the surest fault first."""
        rows = self.table.queue(where)
        return np.asarray(rows[self._in_state(state, self.held.labels()[rows])])

    def progress(self, where: Where) -> dict[str, int]:
        """How many rows of a queue are open, skipped and decided."""
        states = self.held.labels()[self.table.queue(where)]
        return dict(zip(STATES, np.bincount(states, minlength=len(STATES)).tolist()))

    def _in_state(self, state: str, states: np.ndarray) -> Bool[np.ndarray, " m"]:
        if state == EVERY:
            return np.ones(len(states), bool)
        if state not in STATES:
            raise BadInput("state", wanted=f"one of {', '.join(STATES)}", got=repr(state))
        return np.asarray(states == STATES.index(state))

    def items(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """What is shown of these rows, with the verdicts that hold."""
        if len(rows) > MOST_ROWS:
            raise BadInput("rows", wanted=f"at most {MOST_ROWS}", got=len(rows))
        return [
            {**said, "verdicts": [told(each) for each in self.held.of(said["row"])]}
            for said in self.table.items(rows)
        ]

    def groups(self, kind: str, state: str) -> list[tuple[int, int]]:
        """Place of each group in the list of all, and how many it holds."""
        if kind not in KINDS:
            raise BadInput("kind", wanted=f"one of {', '.join(KINDS)}", got=repr(kind))
        chosen = enumerate(zip(self.table.groups, self._group_states()))
        return [
            (place, len(group.rows))
            for place, (group, held) in chosen
            if (kind == EVERY or getattr(group, kind)) and state in (EVERY, STATES[held])
        ]

    def group_progress(self) -> dict[str, int]:
        """How many groups are open, skipped and decided."""
        return dict(zip(STATES, np.bincount(self._group_states(), minlength=len(STATES)).tolist()))

    def _group_states(self) -> UInt8[np.ndarray, " g"]:
        """A group is decided when all of it is, skipped when all is decided or skipped."""
        rows, starts = self.table.grouped
        states = self.held.duplicates()[rows]
        return np.asarray(np.minimum.reduceat(states, starts) if len(starts) else states, np.uint8)

    def group(self, place: int) -> dict[str, Any]:
        """One group and its items."""
        if not 0 <= place < len(self.table.groups):
            raise BadInput("group", wanted=f"a number from 0 to {len(self.table.groups) - 1}", got=place)
        group = self.table.groups[place]
        shown = self.items(group.rows[:LARGE_GROUP])
        return {
            "place": place,
            "number": group.number,
            "leak": group.leak,
            "contradiction": group.contradiction,
            "size": len(group.rows),
            "items": shown,
        }

    def map(self, method: str) -> UInt16[np.ndarray, "n 2"]:
        """Where each item lies on the map."""
        return self._vectors().map(method)

    def codes(self, by: str) -> tuple[list[tuple[str, int]], Int32[np.ndarray, " n"]]:
        """Names with their counts, and which of them each item has."""
        if by not in COLOURED_BY:
            raise BadInput("by", wanted=f"one of {', '.join(COLOURED_BY)}", got=repr(by))
        column = self.table.codes(by)
        return column.counts(), column.codes

    def neighbours(self, row: int, count: int) -> dict[str, Any]:
        """Items most like this one."""
        self.table.items([row])
        rows, cosine = self._vectors().nearest(row, min(max(count, 1), MOST_ROWS))
        return {"rows": rows.tolist(), "similarity": [round(float(each), 4) for each in cosine]}

    def difference(self, a: int, b: int) -> tuple[bytes, float]:
        """A PNG of where b differs from a, and by how much on average."""
        paths = self.table.frame["path"]
        self.table.items([a, b])
        first, second = (decode(self.thumbnails.get(paths[row], SIZES[0]).data) for row in (a, b))
        drawn, apart = difference(first, second)
        return encode_png(drawn), apart

    def _vectors(self) -> Vectors:
        if self.vectors is None:
            raise BadInput("table", "has no column embedding", hint="`okulo embed` makes one")
        return self.vectors


def told(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the page gets it."""
    return dict(to_json(verdict))


def read_rows(text: str) -> list[int]:
    """Numbers between commas.

    >>> read_rows("3,1,2")
    [3, 1, 2]
    """
    try:
        return [int(each) for each in text.split(",")] if text else []
    except ValueError as error:
        raise BadInput("rows", wanted="numbers between commas", got=repr(text[:40])) from error
