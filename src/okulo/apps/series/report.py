"""`okulo series report`: one page for experts to name groups on, as HTML and as PDF."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64

from okulo.apps.series.cluster import NORMAL
from okulo.apps.series.page import page
from okulo.apps.series.store import Store, same_rows
from okulo.apps.series.told import Band, Curve, Shown, Told
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import read_json, write_text

BEFORE, AFTER = 10, 90
"""The band reaches from so many samples before the start of work to so many after it."""

NORMALS = 1500
"""So many normal recordings make the band."""

TYPICAL, EXTREME = 3, 2


@dataclass(frozen=True, kw_only=True)
class ReportParams(Params):
    """Write the page on which experts name groups: curves over the normal band, and what sets each apart."""

    store: Path = param(help="folder with groups", positional=True)
    out: Path = param(help="the page to write (.html)", short="o")
    pdf: Path | None = param(None, help="also as PDF")
    members: int = param(8, help="random members shown of each group", low=0, high=40)
    most: int = param(40, help="groups shown, the most unlike first", low=1)
    seed: int = param(0, help="of the random members", low=0)


@dataclass(frozen=True, kw_only=True)
class ReportReport:
    """What was written."""

    html: Path
    pdf: Path | None
    groups: int
    bytes: int
    seconds: float


def run(params: ReportParams, progress: Progress = silent) -> ReportReport:
    """Gather and draw."""
    started = time.perf_counter()
    if params.out.suffix not in (".html", ".htm"):
        raise BadInput("out", wanted="a page, .html", got=str(params.out))
    store = Store(params.store).require()
    steps = iter(progress(range(3), label="writing the report"))
    next(steps, None)
    told = gather(store, params)
    next(steps, None)
    write_text(params.out, page(told))
    next(steps, None)
    if params.pdf:
        from okulo.apps.series.pdf import write_pdf

        write_pdf(params.pdf, told)
    return ReportReport(
        html=params.out,
        pdf=params.pdf,
        groups=len(told.groups),
        bytes=params.out.stat().st_size,
        seconds=time.perf_counter() - started,
    )


def gather(store: Store, params: ReportParams) -> Told:
    """Choose what is shown, and read only that."""
    groups = store.read_table("groups")
    said = read_json(store.root / "groups.json")["report"]
    features = store.read_table("features", ["id", "start"])
    same_rows(features, groups, store.root)
    number = groups["group"].fill_null(-2).to_numpy()
    unlike = groups["unlike"].to_numpy()
    rng = np.random.default_rng(params.seed)
    shown = said["groups"][: params.most]
    chosen = [_choose(np.flatnonzero(number == each["group"]), unlike, params.members, rng) for each in shown]
    normal = np.flatnonzero(number == NORMAL)
    normal = rng.choice(normal, min(NORMALS, len(normal)), replace=False)
    rows = np.concatenate([normal, *(each for some in chosen for each in some)]).astype(np.int64)
    ids, starts = groups["id"].to_numpy(), np.nan_to_num(features["start"].to_numpy())
    values = store.select(ids[rows])

    def curves(some: Int64[np.ndarray, " m"], kind: str) -> tuple[Curve, ...]:
        return tuple(Curve(int(ids[i]), values[int(ids[i])], float(starts[i]), kind) for i in some)

    names = _names(store, number)
    told = tuple(
        Shown(
            each,
            title,
            names.get(each["group"], ""),
            *(curves(some, kind) for some, kind in zip(picked, ("typical", "extreme", "member"))),
        )
        for each, title, picked in zip(shown, titles(said["groups"]), chosen)
    )
    return Told(
        title=store.root.resolve().name,
        report=said,
        imported=read_json(store.manifest),
        reasons=_reasons(store),
        band=make_band(curves(normal, "normal")),
        groups=told,
        omitted=len(said["groups"]) - len(told),
    )


def titles(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name each group by its strongest trait, and of the next four by the one that fewest other groups have.

    >>> noisy = {"traits": [{"words": "noisy"}, {"words": "jumps"}]}
    >>> titles([noisy, {"traits": [{"words": "noisy"}, {"words": "jumps"}, {"words": "swings"}]}])
    ['noisy, jumps', 'noisy, swings']
    """
    words = [[trait["words"] for trait in each["traits"][:5]] for each in groups]
    shared = Counter(word for some in words for word in set(some))
    return [
        ", ".join(dict.fromkeys([some[0], min(some[1:] or some, key=lambda word: shared[word])]))
        if some
        else "no single feature stands out"
        for some in words
    ]


def _choose(
    rows: Int64[np.ndarray, " n"], unlike: np.ndarray, members: int, rng: np.random.Generator
) -> tuple[Int64[np.ndarray, " a"], Int64[np.ndarray, " b"], Int64[np.ndarray, " c"]]:
    """Typical: as unlike the normal as the group's median; extreme: the most unlike; members: at random."""
    how = unlike[rows]
    typical = rows[np.argsort(np.abs(how - np.median(how)), kind="stable")[:TYPICAL]]
    extreme = rows[np.argsort(-how, kind="stable")[:EXTREME]]
    others = rng.choice(rows, min(members, len(rows)), replace=False)
    return typical, extreme, others


def make_band(curves: tuple[Curve, ...]) -> Band:
    """Quantiles of curves laid over each other at the start of work, where 20 or more have a value."""
    span = BEFORE + AFTER
    stacked = np.full((len(curves), span), np.nan)
    for row, curve in enumerate(curves):
        at = np.arange(len(curve.values)) - round(curve.start) + BEFORE
        inside = (at >= 0) & (at < span) & np.isfinite(curve.values)
        stacked[row, at[inside]] = curve.values[inside]
    known = np.isfinite(stacked).sum(axis=0) >= min(20, max(len(curves), 1))
    time = np.arange(-BEFORE, AFTER, dtype=np.float64)[known]
    if not known.any():
        empty = np.empty(0)
        return Band(empty, empty, empty, empty)
    low, middle, high = np.nanquantile(stacked[:, known], [0.05, 0.5, 0.95], axis=0)
    return Band(time, low, middle, high)


def _names(store: Store, number: np.ndarray) -> dict[int, str]:
    """What groups are called: the name that most of their members bear, also after they were made anew."""
    path = store.root / "labels.parquet"
    if not path.exists():
        return {}
    labels = pl.read_parquet(path)
    if len(labels) != len(number):
        return {}
    counts = labels.with_columns(group=pl.Series(number)).group_by("group", "name").len()
    whole = dict(counts.group_by("group").agg(pl.col("len").sum()).iter_rows())
    rows = counts.filter(pl.col("name").is_not_null() & (pl.col("group") > 0)).iter_rows()
    return {int(group): name for group, name, size in rows if size > whole[group] / 2}


def _reasons(store: Store) -> dict[str, int]:
    if not store.table("clean").exists():
        return {}
    counts = store.read_table("clean")["excluded"].drop_nulls().value_counts(sort=True)
    return {str(reason): int(count) for reason, count in counts.iter_rows()}


__all__ = [
    "Band",
    "Curve",
    "ReportParams",
    "ReportReport",
    "Shown",
    "Told",
    "gather",
    "make_band",
    "run",
    "titles",
]
