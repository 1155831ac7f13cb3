"""`okulo search-eval`: how well an index finds what belongs to some queries, way of ranking by way."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_json
from okulo.io.tables import read_items
from okulo.search.build import CROP_HELP, See, seeing_for, shown, vectors_of
from okulo.search.exact import Found
from okulo.search.index import Index, open_index
from okulo.search.rank import Ranking, search
from okulo.search.where import where

WAYS: Mapping[str, Ranking] = {
    "plain": Ranking(),
    "average": Ranking(expand="average"),
    "rank": Ranking(expand="rank"),
    "alpha": Ranking(expand="alpha"),
    "recursive": Ranking(expand="recursive"),
    "smooth": Ranking(smooth=5),
    "rerank": Ranking(rerank=True),
    "alpha+rerank": Ranking(expand="alpha", rerank=True),
}
KS = (1, 5, 10)
COPY = 0.999
"""A base item this like a query is taken for a copy of it."""


@runtime_checkable
class Figure(Protocol):
    """A mean and its interval."""

    @property
    def value(self) -> float: ...  # noqa: D102
    @property
    def low(self) -> float: ...  # noqa: D102
    @property
    def high(self) -> float: ...  # noqa: D102


Measure = Callable[..., Mapping[str, Figure]]
"""`okulo.metrics.retrieval.measure`, given by the command line (siblings do not import each other)."""


@dataclass(frozen=True, kw_only=True)
class SearchEvalParams(Params):
    """Measure how well an index finds what belongs to queries: mAP, precision, recall, nDCG with intervals.

    What belongs together has the same value in a column. The base may hold no query: an item that is both
    is refused, and copies of a query in the base are reported.
    """

    index: Path = param(
        help="the index: the base, with the relevant items and the distractors", positional=True
    )
    queries: Path = param(help="table of queries", positional=True)
    by: str = param(
        "label", help="items that have this column's value in common belong together (or lists' overlap)"
    )
    where: str = param("", help="only these queries, as in SQL: \"split = 'test'\"")
    ways: str = param("plain", help=f"ways of ranking, between commas, or all: {', '.join(WAYS)}")
    leave_out: bool = param(False, help="queries are in the base: each passes itself over")
    column: str = param("embedding", help="vectors of the queries' table; made now if it has none")
    crop: str = param("", help=f"cut something out of the queries (default: as the index does): {CROP_HELP}")
    depth: int = param(1000, help="places that are looked at", low=1, high=100_000)
    model: str = param("", help="the index's model, where it was moved")
    output: Path | None = param(None, help="write the figures as JSON", short="o")
    workers: int | None = param(None, help="threads (default: one a core)", low=1, high=256)
    seed: int = param(0, help="of the intervals", low=0)


@dataclass(frozen=True)
class Way:
    """One way of ranking: name → (value, low, high), and what it cost."""

    name: str
    figures: Mapping[str, tuple[float, float, float]]
    ms_a_query: float


@dataclass(frozen=True)
class SearchEvalReport:
    """What was measured."""

    ways: tuple[Way, ...]
    queries: int
    without_relevant: int
    """Queries for which the base holds nothing relevant; they are left out of the means."""
    base: int
    distractors: int
    """Items of the base that are relevant to no query."""
    copies: Findings = field(default_factory=Findings)
    unreadable: int = 0


def run(
    params: SearchEvalParams, see: See, measure: Measure, progress: Progress = silent
) -> SearchEvalReport:
    """Rank for every query in each way, and measure; `measure` is `okulo.metrics.retrieval.measure`."""
    ways = chosen_ways(params.ways)
    index = open_index(params.index)
    if not len(index):
        raise BadInput(str(params.index), "is empty: there is nothing to find")
    items = read_items(params.queries)
    items = items.where(pl.lit(pl.Series(where(items.frame, params.where)))) if params.where else items
    if not len(items):
        raise BadInput("queries", wanted="at least one", got="none")
    seeing = seeing_for(index, see, params.model, params.crop)
    vectors, _, bad = vectors_of(items, seeing, params.column, params.workers, progress)
    known = ~np.isnan(vectors).any(axis=1)
    frame = shown(items, index.root).filter(pl.Series(known))
    own = _own_rows(index, frame, params)
    truth = Truth.of(frame, index, params.by)
    told = []
    for name, ranking in progress(ways.items(), label="ways", total=len(ways)):
        started = time.perf_counter()
        found = search(index, vectors[known], params.depth + 1, ranking)
        seconds = time.perf_counter() - started
        hits = truth.hits(_without(found, own))[:, : params.depth]
        rng = np.random.default_rng(params.seed)
        said = measure(hits, truth.relevant(own), KS, rng=rng)
        figures = {key: (each.value, each.low, each.high) for key, each in said.items()}
        told.append(Way(name, figures, 1e3 * seconds / max(1, len(frame))))
    relevant = truth.relevant(own)
    report = SearchEvalReport(
        tuple(told),
        len(frame),
        int((relevant == 0).sum()),
        len(index),
        truth.distractors(index.alive),
        _copies(index, frame, vectors[known], own),
        len(bad),
    )
    if params.output is not None:
        write_json(params.output, report)
    return report


def chosen_ways(text: str) -> dict[str, Ranking]:
    """Ways of ranking by name.

    >>> list(chosen_ways("plain,rerank"))
    ['plain', 'rerank']
    """
    names = list(WAYS) if text == "all" else [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in WAYS]
    if unknown:
        raise BadInput("ways", wanted=f"some of {', '.join(WAYS)}", got=unknown[0])
    return {name: WAYS[name] for name in names}


def _own_rows(index: Index, frame: pl.DataFrame, params: SearchEvalParams) -> Int64[np.ndarray, " q"]:
    """Where each query is in the base itself, -1 for none; in the base it may be only with `leave_out`."""
    rows = {path: row for row, path in enumerate(index.items["path"]) if index.alive[row]}
    own = np.array([rows.get(path, -1) for path in frame["path"]], np.int64)
    inside = int((own >= 0).sum())
    if inside and not params.leave_out:
        raise BadInput(
            str(params.index),
            f"holds {inside:,} of the {len(frame):,} queries themselves",
            hint="a base holds no query; --where chooses others, --leave-out passes each over for itself",
        )
    return own


@dataclass(frozen=True)
class Truth:
    """Which value each query and each base item has; lists count by what they have in common."""

    queries: Sequence[frozenset[str]]
    base: Sequence[frozenset[str]]
    alive: Bool[np.ndarray, " n"]

    @classmethod
    def of(cls, frame: pl.DataFrame, index: Index, by: str) -> "Truth":
        """Read both sides' column."""
        for name, side in (("queries", frame), ("index", index.items)):
            if by not in side.columns:
                raise BadInput(
                    f"column {by}", f"is not in the {name}", hint=f"it has {', '.join(side.columns)}"
                )
        return cls(_values(frame[by]), _values(index.items[by]), index.alive)

    def hits(self, found: Found) -> Bool[np.ndarray, "q k"]:
        """Whether what stands at each place is relevant."""
        out = np.zeros(found.row.shape, bool)
        for i, wanted in enumerate(self.queries):
            out[i] = [row >= 0 and not wanted.isdisjoint(self.base[row]) for row in found.row[i]]
        return out

    def relevant(self, own: Int64[np.ndarray, " q"]) -> Int64[np.ndarray, " q"]:
        """How many base items are relevant to each query, itself left out."""
        holders = self._holders()
        counts = [
            len({row for value in wanted for row in holders.get(value, ())} - {int(mine)})
            for wanted, mine in zip(self.queries, own)
        ]
        return np.array(counts, np.int64)

    def distractors(self, alive: Bool[np.ndarray, " n"]) -> int:
        """Living base items that no query wants."""
        wanted = frozenset().union(*self.queries)
        return sum(bool(lives) and wanted.isdisjoint(values) for lives, values in zip(alive, self.base))

    def _holders(self) -> dict[str, list[int]]:
        holders: dict[str, list[int]] = {}
        for row, values in enumerate(self.base):
            for value in values if self.alive[row] else ():
                holders.setdefault(value, []).append(row)
        return holders


def _values(column: pl.Series) -> list[frozenset[str]]:
    if isinstance(column.dtype, pl.List):
        return [frozenset(map(str, each or ())) for each in column.to_list()]
    return [frozenset() if each is None else frozenset((str(each),)) for each in column.to_list()]


def _without(found: Found, own: Int64[np.ndarray, " q"]) -> Found:
    """Pass each query's own row over: what follows it moves up."""
    mine = (found.row == own[:, None]) & (own[:, None] >= 0)
    order = np.argsort(mine, axis=1, kind="stable")
    row = np.where(mine, -1, found.row)
    return Found(np.take_along_axis(found.score, order, 1), np.take_along_axis(row, order, 1))


def _copies(
    index: Index, frame: pl.DataFrame, vectors: Float32[np.ndarray, "q d"], own: Int64[np.ndarray, " q"]
) -> Findings:
    """Base items that are a query's copy: the same bytes, the same group (D1), or the same vector."""
    living = index.items.filter(pl.Series(index.alive))
    by_id = dict(zip(living["id"], living["path"]))
    grouped = "group" in frame.columns and "group" in living.columns
    by_group = dict(zip(living["group"], living["path"])) if grouped else {}
    nearest = index.nearest(vectors, min(2, len(index)))
    rows = []
    for i, said in enumerate(frame.iter_rows(named=True)):
        path = said["path"]
        if by_id.get(said["id"], path) != path:
            rows.append((path, "copy in the base", 1.0, f"{by_id[said['id']]} has the same bytes"))
        elif grouped and said["group"] is not None and by_group.get(said["group"], path) != path:
            rows.append((path, "copy in the base", 0.9, f"{by_group[said['group']]} is in the same group"))
        else:
            like = [(s, r) for s, r in zip(nearest.score[i], nearest.row[i]) if r >= 0 and r != own[i]]
            if like and like[0][0] >= COPY:
                rows.append(
                    (path, "copy in the base", 0.7, f"{index.items['path'][int(like[0][1])]} looks the same")
                )
    return Findings.of(rows)
