"""What the search page asks for, as plain functions of an index, a model and small copies of pictures."""

import base64
import binascii
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float32, UInt8

from okulo.core.errors import BadInput
from okulo.core.protocols import Image
from okulo.core.report import to_json
from okulo.io.images import decode, encode_png
from okulo.search.exact import unit
from okulo.search.feedback import add_pair, keep_query
from okulo.search.index import Index, open_index
from okulo.search.manifest import NAME
from okulo.search.pictures import Seeing
from okulo.search.rank import EXPANSIONS, Ranking, by_feedback, search
from okulo.web.thumbnails import Thumbnails

MOST = 500
FEW_VALUES = 60
"""A column of so few different values becomes a filter to choose from."""
KEPT = 100
"""Pictures that were asked for and are remembered, so that what is said of their answers can be kept."""
FIELDS = (
    *("picture", "item", "query", "box", "main", "k", "where", "only"),
    *("expand", "expand_by", "smooth", "rerank", "good", "bad"),
)


@dataclass(frozen=True)
class Query:
    """A picture that was asked for: what it is called, its vector, and itself if it came from outside."""

    name: str
    vector: Float32[np.ndarray, " d"]
    image: UInt8[np.ndarray, "h w 3"] | None
    row: int = -1


class Site:
    """An index, kept up to date, and what embeds pictures; safe to use from many threads."""

    def __init__(
        self,
        folder: Path,
        seeing: Seeing,
        thumbnails: Thumbnails,
        who: str = "",
        main: Seeing | None = None,
    ) -> None:
        self.folder, self.seeing, self.thumbnails, self.who = Path(folder), seeing, thumbnails, who
        self.main = main
        """Embeds what a network looks at in a picture, where the index has one that can be asked."""
        self._lock = threading.Lock()
        self._stamp = 0
        self._index = open_index(folder)
        self._index.expect_model(seeing.name)
        self._queries: OrderedDict[str, Query] = OrderedDict()
        self._stamp = (self.folder / NAME).stat().st_mtime_ns

    @property
    def index(self) -> Index:
        """The index as it is now: opened anew when somebody changed it."""
        with self._lock:
            try:
                stamp = (self.folder / NAME).stat().st_mtime_ns
                if stamp != self._stamp:
                    fresh = open_index(self.folder)
                    fresh.expect_model(self.seeing.name)
                    self._index, self._stamp = fresh, stamp
            except (OSError, BadInput):  # being replaced, or taken away: the one in hand still answers
                pass
            return self._index

    def summary(self) -> dict[str, Any]:
        """What the page must know first."""
        index = self.index
        filters = []
        for name, dtype in index.items.schema.items():
            if dtype == pl.String and name not in ("id", "path"):
                counts = index.items[name].drop_nulls().value_counts(sort=True)
                if 1 < len(counts) <= FEW_VALUES:
                    filters.append({"name": name, "values": sorted(counts[name].to_list())})
        return {
            "name": self.folder.name,
            "items": len(index),
            "kind": index.manifest.settings.kind,
            "columns": index.items.columns,
            "filters": filters,
            "expansions": list(EXPANSIONS),
            "crop": index.manifest.crop,
            "main": self.main is not None,
        }

    def search(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one question; every field that is wrong is BadInput in plain words."""
        unknown = [name for name in said if name not in FIELDS]
        if unknown:
            raise BadInput(unknown[0][:40], "is no field of a search", hint=f"there are {', '.join(FIELDS)}")
        index = self.index
        started = time.perf_counter()
        query = self._query(index, said)
        embedded = time.perf_counter()
        good, bad = (rows_of(index, name, said.get(name, [])) for name in ("good", "bad"))
        vector = by_feedback(query.vector, index.vectors(good), index.vectors(bad))
        k = whole("k", said.get("k", 40), 1, MOST)
        allowed = index.allowed(condition(index, said))
        many = min(MOST, k + len(bad) + (query.row >= 0))
        found = search(index, vector[None], many, ranking_of(said), allowed)
        kept = [
            (int(row), float(score))
            for row, score in zip(found.row[0], found.score[0])
            if row >= 0 and row != query.row and row not in set(bad.tolist())
        ][:k]
        done = time.perf_counter()
        return {
            "query": query.name,
            "results": _told(index, kept),
            "ms": {"embed": 1e3 * (embedded - started), "search": 1e3 * (done - embedded)},
        }

    def feedback(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what somebody said of one answer: relevant, not, or taken back (null)."""
        name, relevant = said.get("query"), said.get("relevant")
        if relevant is not None and not isinstance(relevant, bool):
            raise BadInput("relevant", wanted="true, false or null", got=repr(relevant)[:40])
        index = self.index
        (row,) = rows_of(index, "row", [said.get("row")])
        with self._lock:
            query = self._queries.get(str(name))
        if query is None:
            raise BadInput("query", "is not remembered any more", hint="search again")
        if query.image is None:
            asked = index.items["path"][query.row]
        else:
            asked = keep_query(self.folder, query.name, encode_png(query.image))
        who = str(said.get("who") or self.who)[:200]
        add_pair(self.folder, asked, index.items["path"][int(row)], relevant, who)
        return {"kept": True}

    def _query(self, index: Index, said: Mapping[str, Any]) -> Query:
        given = [name for name in ("picture", "item", "query") if said.get(name) is not None]
        if len(given) != 1:
            raise BadInput("search", wanted="one of picture, item, query", got=", ".join(given) or "none")
        if given == ["item"]:
            (row,) = rows_of(index, "item", [said["item"]])
            vector = index.vectors(np.array([row], np.int64))[0]
            name = hashlib.blake2b(index.items["path"][int(row)].encode(), digest_size=8).hexdigest()
            return self._remember(Query(f"item-{name}", vector, None, int(row)))
        if given == ["query"]:
            with self._lock:
                known = self._queries.get(str(said["query"]))
            if known is None:
                raise BadInput("query", "is not remembered any more", hint="send the picture again")
            return known
        data = read_picture(said["picture"])
        image = cut_box(decode(data), said.get("box"))
        seeing, main = self.seeing, yes_or_no("main", said.get("main", False))
        if main:
            if self.main is None:
                raise BadInput("main", "cannot be found with this index's model")
            seeing = self.main
        how = repr((said.get("box"), main)).encode()
        name = hashlib.blake2b(data + how, digest_size=16).hexdigest()
        vector = unit("the picture's vector", seeing.images([image]), index.manifest.length)[0]
        return self._remember(Query(name, vector, image))

    def _remember(self, query: Query) -> Query:
        with self._lock:
            self._queries[query.name] = query
            self._queries.move_to_end(query.name)
            while len(self._queries) > KEPT:
                self._queries.popitem(last=False)
        return query


def read_picture(text: object) -> bytes:
    """A picture's bytes, sent as base64 (a data URL is taken too)."""
    if not isinstance(text, str):
        raise BadInput("picture", wanted="base64 text", got=type(text).__name__)
    try:
        return base64.b64decode(text.rpartition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput("picture", "is no base64") from error


def cut_box(image: Image, box: object) -> Image:
    """Cut a box out of a picture: x0, y0, x1, y1 as shares of its sides.

    >>> cut_box(np.zeros((100, 50, 3), np.uint8), [0.5, 0, 1, 0.25]).shape
    (25, 25, 3)
    """
    if box is None:
        return image
    good = isinstance(box, Sequence) and len(box) == 4 and all(isinstance(v, int | float) for v in box)
    if not good or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):  # type: ignore[index]
        raise BadInput("box", wanted="[x0, y0, x1, y1], shares from 0 to 1", got=repr(box)[:60])
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (float(each) for each in box)  # type: ignore[attr-defined]
    left, top = min(int(x0 * width), width - 1), min(int(y0 * height), height - 1)
    right, bottom = max(left + 1, round(x1 * width)), max(top + 1, round(y1 * height))
    return np.ascontiguousarray(image[top:bottom, left:right])


def rows_of(index: Index, name: str, said: object) -> np.ndarray:
    """Rows of the index: numbers that are living items."""
    if not isinstance(said, list) or len(said) > MOST:
        raise BadInput(name, wanted=f"a list of at most {MOST} rows", got=repr(said)[:40])
    for row in said:
        right = isinstance(row, int) and not isinstance(row, bool) and 0 <= row < len(index.alive)
        if not right or not index.alive[row]:
            raise BadInput(name, wanted="rows of the index", got=repr(row)[:40])
    return np.array(said, np.int64)


def condition(index: Index, said: Mapping[str, Any]) -> str:
    """The text condition, and the chosen values of columns."""
    text, only = said.get("where") or "", said.get("only") or {}
    if not isinstance(text, str) or not isinstance(only, dict):
        raise BadInput("where", wanted="text, and only: {column: value}", got=repr((text, only))[:60])
    parts = [f"({text})"] if text.strip() else []
    for name, value in only.items():
        if name not in index.items.columns or not isinstance(value, str):
            raise BadInput(
                "only", wanted="columns of the index and their values", got=repr({name: value})[:60]
            )
        quoted = value.replace("'", "''")
        parts.append(f"\"{name}\" = '{quoted}'")
    return " AND ".join(parts)


def ranking_of(said: Mapping[str, Any]) -> Ranking:
    """How answers are ordered."""
    expand = said.get("expand", "none")
    if expand not in EXPANSIONS:
        raise BadInput("expand", wanted=f"one of {', '.join(EXPANSIONS)}", got=repr(expand)[:40])
    rerank = yes_or_no("rerank", said.get("rerank", False))
    ranking = Ranking(expand=expand, rerank=rerank, smooth=whole("smooth", said.get("smooth", 0), 0, 50))
    return replace(ranking, expand_by=whole("expand_by", said.get("expand_by", 5), 1, 100))


def yes_or_no(name: str, value: object) -> bool:
    """True or false, and nothing that only looks like it."""
    if not isinstance(value, bool):
        raise BadInput(name, wanted="true or false", got=repr(value)[:40])
    return value


def whole(name: str, value: object, low: int, high: int) -> int:
    """A whole number between bounds."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadInput(name, wanted=f"a whole number from {low} to {high}", got=repr(value)[:40])
    return value


def _told(index: Index, kept: Sequence[tuple[int, float]]) -> list[dict[str, Any]]:
    rows = [row for row, _ in kept]
    frame = index.items[rows]
    return [
        {"row": row, "score": round(score, 5), **to_json(said)}
        for (row, score), said in zip(kept, frame.iter_rows(named=True))
    ]
