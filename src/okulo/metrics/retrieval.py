"""How well a search finds what belongs to a query.

Each function takes, for every query, whether what stands at each place of its ranking is relevant (`hits`,
best first), and how many relevant items the base holds (`relevant`); it gives one number a query, nan where
a query has no relevant item at all. A ranking that was cut at `k` places counts what lies below as not found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from okulo.core.checks import check_same_length
from okulo.core.errors import BadInput
from okulo.metrics.intervals import bootstrap


def precision_at(
    hits: Bool[np.ndarray, "n places"], relevant: Int64[np.ndarray, " n"], k: int
) -> Float64[np.ndarray, " n"]:
    """Share of the first `k` places that are relevant, also of a ranking that has fewer places.

    >>> precision_at(np.array([[True, False, True]]), np.array([2]), 2)
    array([0.5])
    """
    _check(hits, relevant, k)
    return _defined(hits[:, :k].sum(axis=1) / k, relevant)


def recall_at(
    hits: Bool[np.ndarray, "n places"], relevant: Int64[np.ndarray, " n"], k: int
) -> Float64[np.ndarray, " n"]:
    """Share of the relevant items that stand among the first `k`.

    >>> recall_at(np.array([[True, False, True]]), np.array([4]), 3)
    array([0.5])
    """
    _check(hits, relevant, k)
    return _defined(hits[:, :k].sum(axis=1) / np.maximum(relevant, 1), relevant)


def r_precision(
    hits: Bool[np.ndarray, "n places"], relevant: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Precision at R, where R is how many relevant items the query has (Manning et al. 2008, section 8.4).

    >>> r_precision(np.array([[True, False, True]]), np.array([2]))
    array([0.5])
    """
    _check(hits, relevant, 1)
    place = np.arange(hits.shape[1])
    found = (hits & (place < relevant[:, None])).sum(axis=1)
    return _defined(found / np.maximum(relevant, 1), relevant)


def average_precision(
    hits: Bool[np.ndarray, "n places"], relevant: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Mean, over all relevant items, of the precision at each one's place; one not found gives 0.

    Their mean over queries is the mAP (Manning et al. 2008, section 8.4; trec_eval's `map`).

    >>> average_precision(np.array([[True, False, True]]), np.array([2])).round(3)
    array([0.833])
    """
    _check(hits, relevant, 1)
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return _defined((precision * hits).sum(axis=1) / np.maximum(relevant, 1), relevant)


def ndcg_at(
    gains: Float[np.ndarray, "n places"], ideal: Float[np.ndarray, "n most"], k: int
) -> Float64[np.ndarray, " n"]:
    """Discounted gain of the first `k` places over the best possible (Järvelin & Kekäläinen 2002).

    The gain at place i is divided by log2(i + 1). `ideal` holds each query's gains in the best order,
    filled up with 0; with plain relevance, gains are 0 or 1.

    >>> ndcg_at(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]), 2).round(3)
    array([0.631])
    """
    check_same_length(gains=gains, ideal=ideal)
    if k < 1:
        raise BadInput("k", wanted="1 or more", got=k)
    best = _discounted(-np.sort(-ideal, axis=1), k)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(best > 0, _discounted(gains, k) / best, np.nan)


def _discounted(gains: Float[np.ndarray, "n places"], k: int) -> Float64[np.ndarray, " n"]:
    part = gains[:, :k].astype(np.float64)
    return np.asarray((part / np.log2(np.arange(2, part.shape[1] + 2))).sum(axis=1), np.float64)


def ideal_gains(relevant: Int64[np.ndarray, " n"], k: int) -> Float64[np.ndarray, "n k"]:
    """The best order's gains where every relevant item counts 1.

    >>> ideal_gains(np.array([2, 0]), 3).tolist()
    [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    return (np.arange(k) < relevant[:, None]).astype(np.float64)


@dataclass(frozen=True)
class Figure:
    """A mean over queries, and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def measure(
    hits: Bool[np.ndarray, "n places"],
    relevant: Int64[np.ndarray, " n"],
    ks: Sequence[int],
    *,
    rng: np.random.Generator,
) -> Mapping[str, Figure]:
    """Every figure, as a mean over the queries that have a relevant item; queries are drawn anew 200 times.

    >>> said = measure(np.array([[True, False]]), np.array([1]), [1], rng=np.random.default_rng(0))
    >>> list(said), said["mAP"].value
    (['mAP', 'R-precision', 'precision@1', 'recall@1', 'nDCG@1'], 1.0)
    """
    each = {"mAP": average_precision(hits, relevant), "R-precision": r_precision(hits, relevant)}
    for k in ks:
        each[f"precision@{k}"] = precision_at(hits, relevant, k)
        each[f"recall@{k}"] = recall_at(hits, relevant, k)
        each[f"nDCG@{k}"] = ndcg_at(hits.astype(np.float64), ideal_gains(relevant, k), k)
    return {name: summary(values, rng=rng) for name, values in each.items()}


def summary(values: Float64[np.ndarray, " n"], *, rng: np.random.Generator) -> Figure:
    """Mean over the queries for which the figure is defined, with its interval.

    >>> summary(np.array([1.0, 1.0, np.nan]), rng=np.random.default_rng(0))
    Figure(value=1.0, low=1.0, high=1.0)
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return Figure(float("nan"), float("nan"), float("nan"))
    low, high = bootstrap(lambda rows: float(known[rows].mean()), len(known), rng=rng)
    return Figure(float(known.mean()), low, high)


def _check(hits: np.ndarray, relevant: np.ndarray, k: int) -> None:
    check_same_length(hits=hits, relevant=relevant)
    if k < 1:
        raise BadInput("k", wanted="1 or more", got=k)
    short = hits.sum(axis=1) > relevant
    if short.any():
        row = int(short.argmax())
        raise BadInput("relevant", f"query {row} found more relevant items than it is said to have")


def _defined(values: Float[np.ndarray, " n"], relevant: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    return np.where(relevant > 0, values, np.nan)
