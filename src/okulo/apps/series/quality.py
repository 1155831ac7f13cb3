"""How surely groups are there: elbow, silhouettes with error bars, stability, and what larger k shows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from okulo.apps.series.groups import CELLS, MEMBERS, find_groups, quietly

TRIED = (2, 5, 10, 20, 40, 80)
SAMPLE = 3000
SILHOUETTE = 600
REPEATS = 4
ROUNDS = 25
"""Rounds of k-means in a try: its shape is asked for, not its last digit."""

OWN = 0.8
"""A cluster is a group's own where at least this share of it is."""


@dataclass(frozen=True)
class Try:
    """Plain k-means with k clusters on a sample of the patterns."""

    k: int
    inertia: float
    """Mean squared distance to the nearest centre; where it stops falling is the elbow."""
    silhouette: float
    silhouette_error: float
    """Standard deviation over samples."""
    stability: float
    """Adjusted Rand index of two seeds: 1 the same clusters."""


@dataclass(frozen=True)
class Look:
    """What other numbers of clusters would show, and how firm the groups are."""

    tries: tuple[Try, ...]
    silhouette: float
    silhouette_error: float
    stability: float
    """Of the groups found: the adjusted Rand index between two seeds."""
    elbow: int
    parts_at: dict[int, int]
    """For each group the smallest k tried at which a cluster of plain k-means is its own."""


def look(rows: Float32[np.ndarray, "n d"], group: Int64[np.ndarray, " n"], seed: int) -> Look:
    """Try several k on a sample, and the groups themselves with other seeds."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(seed)
    chosen = _stratified(group, rng)
    some, own = rows[chosen], group[chosen]
    distinct = len(np.unique(some, axis=0)) if len(some) < 2000 else len(some)
    tries: list[Try] = []
    parts_at: dict[int, int] = {}
    for k in (k for k in TRIED if k < min(len(some), distinct)):
        models = [KMeans(k, n_init=1, random_state=s, max_iter=ROUNDS) for s in (seed, seed + 1)]
        with quietly():
            first, second = (model.fit(some) for model in models)
        middle, error = silhouette(some, first.labels_, rng)
        stable = adjusted_rand_score(first.labels_, second.labels_)
        tries.append(Try(k, float(first.inertia_ / len(some)), middle, error, float(stable)))
        for number in _own_clusters(first.labels_, own):
            parts_at.setdefault(number, k)
    grouped = own > 0
    middle, error = silhouette(some[grouped], own[grouped], rng)
    return Look(
        tuple(tries), middle, error, _stability(some, seed), elbow(tries), dict(sorted(parts_at.items()))
    )


def _stratified(group: Int64[np.ndarray, " n"], rng: np.random.Generator) -> Int64[np.ndarray, " m"]:
    """A sample in which small groups are seen too: at least 60 rows of each, where it has them."""
    if len(group) <= SAMPLE:
        return np.arange(len(group))
    picked = [rng.choice(len(group), SAMPLE, replace=False)]
    for number in np.unique(group[group > 0]):
        rows = np.flatnonzero(group == number)
        picked.append(rng.choice(rows, min(60, len(rows)), replace=False))
    return np.unique(np.concatenate(picked))


def silhouette(
    rows: Float32[np.ndarray, "n d"], label: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Mean silhouette (Rousseeuw 1987) over samples of 600 rows, and its deviation; nan: undefined."""
    from sklearn.metrics import silhouette_score

    found = []
    for _ in range(REPEATS if len(rows) else 0):
        some = rng.choice(len(rows), min(SILHOUETTE, len(rows)), replace=False)
        if 2 <= len(np.unique(label[some])) < len(some):
            found.append(silhouette_score(rows[some], label[some]))
    if not found:
        return float("nan"), float("nan")
    return float(np.mean(found)), float(np.std(found))


def _stability(rows: Float32[np.ndarray, "n d"], seed: int) -> float:
    from sklearn.metrics import adjusted_rand_score

    cells = min(CELLS, max(1, len(rows) // MEMBERS))
    first, second = (find_groups(rows, seed + i, cells=cells).assign(rows) for i in range(2))
    return float(adjusted_rand_score(first, second))


def _own_clusters(label: np.ndarray, group: Int64[np.ndarray, " n"]) -> list[int]:
    """Groups that make up most of one cluster, and have at least a third of themselves in such clusters."""
    counts = np.zeros((int(label.max()) + 1, int(group.max(initial=0)) + 2), np.int64)
    np.add.at(counts, (label, group + 1), 1)
    pure = counts >= OWN * counts.sum(axis=1, keepdims=True)
    share = np.where(pure, counts, 0).sum(axis=0) / np.maximum(counts.sum(axis=0), 1)
    return [number - 1 for number in range(2, counts.shape[1]) if share[number] >= 1 / 3]


def elbow(tries: list[Try]) -> int:
    """The k at which the fall of inertia bends most: farthest from the line between the ends (log axes).

    >>> elbow([Try(k, v, 0, 0, 1) for k, v in ((2, 100.0), (5, 10.0), (10, 9.0), (20, 8.0))])
    5
    """
    if len(tries) < 3:
        return tries[-1].k if tries else 1
    x = np.log([each.k for each in tries])
    y = np.log(np.maximum([each.inertia for each in tries], 1e-12))
    line = y[0] + (x - x[0]) / (x[-1] - x[0]) * (y[-1] - y[0])
    return tries[int(np.argmax(line - y))].k
