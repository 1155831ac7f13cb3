"""`okulo series cluster`: normal recordings set apart, and groups among the others, the most unlike first."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from okulo.apps.series.feature_list import BY_NAME, pick
from okulo.apps.series.features import matrix
from okulo.apps.series.groups import CELLS, GAP, rank
from okulo.apps.series.methods import METHODS, assign
from okulo.apps.series.normal import APART, BAND, Normal, fit, patterns, unlike
from okulo.apps.series.quality import Look, look
from okulo.apps.series.store import Store, same_rows
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_json

LEAST_ROWS = 20
LEAST_SHARE = 0.0001
NORMAL, ODD = 0, -1
"""Numbers that are no group: normal, and unlike the normal but in no group."""

SAID = 6
"""So many features say what sets a group apart."""


@dataclass(frozen=True, kw_only=True)
class ClusterParams(Params):
    """Find groups of faults: the normal set apart, the rest cut into cells, joined where nothing parts them.

    Groups are numbered by how unlike the normal they are, not by size: 1 is the most unlike, 0 is normal,
    -1 is unlike the normal but in no group.
    """

    store: Path = param(help="folder with features, cleaned or not", positional=True)
    method: str = param("cells", help="how groups are found among what is not normal", choices=METHODS)
    clusters: int = param(CELLS, help="cells, or clusters of kmeans, minibatch and gmm", low=1, high=1000)
    gap: float = param(GAP, help="cells: join neighbours closer than so many of their spreads", low=0)
    apart: bool = param(True, help="set the normal apart first")
    unlike: float = param(
        APART, help="how unlike the normal a recording is set apart from, in spreads", low=0
    )
    least: int = param(0, help="recordings a group needs; 0: one in 10,000, at least 20", low=0)
    features: str = param("", help="features to use, with commas between; by default all of the curve's")
    pca: float = param(
        0, help="principal components: a number, or below 1 the share of variance; 0: none", low=0
    )
    look: bool = param(True, help="look at other numbers of clusters: elbow, silhouette, stability")
    seed: int = param(0, help="of samples and of k-means", low=0)
    replace: bool = param(False, help="make groups.parquet anew")


@dataclass(frozen=True)
class Trait:
    """One feature that sets a group apart: its median, what is usual, and how many spreads lie between."""

    feature: str
    words: str
    median: float
    usual: float
    spreads: float


@dataclass(frozen=True)
class Group:
    """One group: how many, how unlike the normal (median, in spreads beyond its band), and by what."""

    group: int
    size: int
    share: float
    unlike: float
    traits: tuple[Trait, ...]
    parts_at: int | None
    """Plain k-means needs so many clusters until one of them is this group's own; None: more than tried."""


@dataclass(frozen=True, kw_only=True)
class ClusterReport:
    """The groups, most unlike first, and how surely they are there."""

    file: Path
    series: int
    excluded: int
    normal: int
    odd: int
    """Unlike the normal, but in no group."""
    groups: tuple[Group, ...]
    look: Look | None
    seconds: float


def run(params: ClusterParams, progress: Progress = silent) -> ClusterReport:
    """Find the groups and write `groups.parquet` (id, group, unlike) and `groups.json`."""
    started = time.perf_counter()
    store = Store(params.store).require()
    store.refuse_existing("groups", replace=params.replace)
    names = pick(params.features)
    frame = store.read_table("features", ["id", "length", *(name for name in names if name != "length")])
    kept = _kept(store, frame)
    good = frame.filter(pl.Series(kept))
    features, length = matrix(good, names), good["length"].to_numpy().astype(np.float32, copy=False)
    if not len(features):
        raise BadInput(str(store.root), f"every recording is excluded ({_why(store)}): nothing to group")
    model = fit(names, features, length, np.random.default_rng(params.seed))
    steps = iter(progress(range(2), label="clustering"))
    next(steps, None)
    z = model.deviations(features, length)
    how = unlike(z)
    group, rows = _find(params, z, how)
    found = _describe(group, how, z, features, model, len(features))
    said = look(rows, group[group != NORMAL], params.seed) if params.look and len(rows) else None
    if said:
        found = tuple(Group(**{**vars(each), "parts_at": said.parts_at.get(each.group)}) for each in found)
    next(steps, None)
    file = _write(store, frame["id"], kept, group, how, replace=params.replace)
    report = ClusterReport(
        file=file,
        series=len(frame),
        excluded=int((~kept).sum()),
        normal=int((group == NORMAL).sum()),
        odd=int((group == ODD).sum()),
        groups=found,
        look=said,
        seconds=time.perf_counter() - started,
    )
    write_json(store.root / "groups.json", {"params": params, "normal": model.to_json(), "report": report})
    return report


def _kept(store: Store, frame: pl.DataFrame) -> np.ndarray:
    """Which rows are to be grouped: those that `clean` kept, where it was run, and that have any features."""
    kept = np.ones(len(frame), bool)
    if store.table("clean").exists():
        clean = store.read_table("clean")
        same_rows(frame.select("id"), clean, store.root)
        kept = clean["excluded"].is_null().to_numpy()
    shaped = [name for name in frame.columns if name in BY_NAME and not BY_NAME[name].quality]
    anything = np.zeros(len(frame), bool)
    for name in shaped or frame.columns[1:]:
        anything |= ~np.isnan(frame[name].to_numpy())
    return kept & anything


def _why(store: Store) -> str:
    """Why recordings were excluded, the commonest first."""
    if not store.table("clean").exists():
        return "none has a curve"
    counts = store.read_table("clean")["excluded"].drop_nulls().value_counts(sort=True).head(3)
    return ", ".join(f"{count:,}: {reason}" for reason, count in counts.iter_rows()) or "none has a curve"


def _find(
    params: ClusterParams, z: Float32[np.ndarray, "n d"], how: Float32[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, " n"], Float32[np.ndarray, "m c"]]:
    """The group of every row, ranked, and the patterns of those that are not normal."""
    odd = how > params.unlike if params.apart else np.ones(len(z), bool)
    rows = patterns(z[odd]) if params.apart else np.clip(z, -30, 30)
    if params.pca:
        rows = project(rows, params.pca)
    group = np.zeros(len(z), np.int64)
    if len(rows):
        least = params.least or max(LEAST_ROWS, round(LEAST_SHARE * len(z)))
        found = assign(params.method, rows, params.clusters, params.gap, params.seed, least)
        noise = found < 0
        number, _ = rank(np.where(noise, found.max(initial=0) + 1, found), how[odd], least)
        group[odd] = np.where(noise, ODD, number)
        group[odd] = _closed(group[odd])
    return group, rows


def _closed(group: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """Close the gaps that a group of noise left in the numbers."""
    numbers = np.unique(group[group > 0])
    closed = group.copy()
    closed[group > 0] = np.searchsorted(numbers, group[group > 0]) + 1
    return closed


def project(rows: Float32[np.ndarray, "n d"], wanted: float) -> Float32[np.ndarray, "n c"]:
    """Principal components: `wanted` of them, or below 1 as many as hold that share of the variance."""
    middle = rows.mean(axis=0)
    value, vector = np.linalg.eigh(np.cov(rows.T).reshape(rows.shape[1], rows.shape[1]))
    value, vector = value[::-1], vector[:, ::-1]
    if wanted >= 1:
        count = min(int(wanted), rows.shape[1])
    else:
        count = int(np.searchsorted(np.cumsum(value) / max(value.sum(), 1e-12), wanted)) + 1
    projected: np.ndarray = ((rows - middle) @ vector[:, :count]).astype(np.float32)
    return projected


def _describe(
    group: Int64[np.ndarray, " n"],
    how: Float32[np.ndarray, " n"],
    z: Float32[np.ndarray, "n d"],
    features: Float32[np.ndarray, "n d"],
    model: Normal,
    count: int,
) -> tuple[Group, ...]:
    usual = np.median(model.middle, axis=0)
    told = []
    for number in range(1, int(group.max(initial=0)) + 1):
        rows = np.flatnonzero(group == number)
        middle = np.median(z[rows], axis=0)
        strongest = [int(j) for j in np.argsort(-np.abs(middle)) if abs(middle[j]) > BAND / 2][:SAID]
        told.append(
            Group(
                group=number,
                size=len(rows),
                share=len(rows) / count,
                unlike=float(np.median(how[rows])),
                traits=tuple(
                    _trait(model.names[j], middle[j], features[rows, j], usual[j]) for j in strongest
                ),
                parts_at=None,
            )
        )
    return tuple(told)


def _trait(name: str, spreads: np.floating[Any], values: Float32[np.ndarray, " n"], usual: float) -> Trait:
    feature = BY_NAME[name]
    words = feature.high if spreads > 0 else feature.low
    median = float(np.nanmedian(values)) if not np.isnan(values).all() else float("nan")
    return Trait(name, words or feature.says, median, float(usual), float(spreads))


def _write(
    store: Store,
    ids: pl.Series,
    kept: np.ndarray,
    group: Int64[np.ndarray, " n"],
    how: Float32[np.ndarray, " n"],
    *,
    replace: bool,
) -> Path:
    all_groups = np.zeros(len(kept), np.int32)
    all_groups[kept] = group
    distance = np.full(len(kept), np.nan, np.float32)
    distance[kept] = how
    frame = pl.DataFrame({"id": ids, "group": all_groups, "unlike": distance, "kept": kept})
    frame = frame.select(
        "id",
        pl.when("kept").then("group").alias("group"),
        pl.when("kept").then("unlike").alias("unlike"),
    )
    return store.write_table("groups", frame, replace=replace)
