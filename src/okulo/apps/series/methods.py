"""Ways to find groups; all but the first are scikit-learn's."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from okulo.apps.series.groups import MEMBERS, find_groups, quietly

DENSE = 10_000
"""HDBSCAN's time grows with the square of the rows: it sees up to so many, the rest join the nearest's."""

MIXED = 50_000
"""The Gaussian mixture is fitted on up to so many rows."""

NEAR = 1.0
"""How close a row must be to a grouped one to join its group, in units of the patterns."""

Rows = Float32[np.ndarray, "n d"]
Numbers = Int64[np.ndarray, " n"]


def _cells(rows: Rows, clusters: int, gap: float, seed: int, least: int) -> Numbers:
    cells = min(clusters, max(1, len(rows) // MEMBERS))
    return find_groups(rows, seed, cells=cells, gap=gap, least=least).assign(rows)


def _kmeans(rows: Rows, clusters: int, gap: float, seed: int, least: int) -> Numbers:
    from sklearn.cluster import KMeans

    model: Any = KMeans(min(clusters, _distinct(rows, clusters)), n_init=1, random_state=seed)
    found: np.ndarray = model.fit_predict(rows)
    return found.astype(np.int64)


def _minibatch(rows: Rows, clusters: int, gap: float, seed: int, least: int) -> Numbers:
    from sklearn.cluster import MiniBatchKMeans

    k = min(clusters, _distinct(rows, clusters))
    model: Any = MiniBatchKMeans(k, n_init=1, random_state=seed, batch_size=4096)
    found: np.ndarray = model.fit_predict(rows)
    return found.astype(np.int64)


def _mixture(rows: Rows, clusters: int, gap: float, seed: int, least: int) -> Numbers:
    from sklearn.mixture import GaussianMixture

    some = _sample(rows, MIXED, seed)
    k = min(clusters, _distinct(some, clusters))
    # Patterns are exactly 0 where nothing is unusual: without a floor a variance would vanish.
    model: Any = GaussianMixture(k, covariance_type="diag", reg_covar=0.05, random_state=seed)
    found: np.ndarray = model.fit(some).predict(rows)
    return found.astype(np.int64)


def _hdbscan(rows: Rows, clusters: int, gap: float, seed: int, least: int) -> Numbers:
    from scipy.spatial import cKDTree
    from sklearn.cluster import HDBSCAN

    some = _sample(rows, DENSE, seed)
    if len(some) < 5:
        return np.full(len(rows), -1, np.int64)
    least = max(5, len(some) // 400)
    found = HDBSCAN(min_cluster_size=least, min_samples=5, copy=True).fit_predict(some).astype(np.int64)
    distance, nearest = cKDTree(some).query(rows, workers=-1)
    joined: np.ndarray = np.where(distance <= NEAR, found[nearest], -1)
    return joined


def _sample(rows: Rows, most: int, seed: int) -> Rows:
    if len(rows) <= most:
        return rows
    return rows[np.random.default_rng(seed).choice(len(rows), most, replace=False)]


def _distinct(rows: Rows, wanted: int) -> int:
    """How many different rows there are, as far as it matters."""
    return len(np.unique(rows, axis=0)) if len(rows) <= 10 * wanted else wanted


WAYS: Mapping[str, Callable[[Rows, int, float, int, int], Numbers]] = {
    "cells": _cells,
    "kmeans": _kmeans,
    "minibatch": _minibatch,
    "hdbscan": _hdbscan,
    "gmm": _mixture,
}
METHODS = tuple(WAYS)


def assign(method: str, rows: Rows, clusters: int, gap: float, seed: int, least: int = 0) -> Numbers:
    """Find groups among the rows; -1: in none.

    >>> found = assign("kmeans", np.float32([[0], [0.1], [9], [9.1]]), 2, 2.0, 0)
    >>> bool(found[0] == found[1] != found[2] == found[3])
    True
    """
    with quietly():
        return WAYS[method](rows, clusters, gap, seed, least)
