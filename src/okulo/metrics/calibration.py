"""Does "90 % sure" mean right nine times in ten?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from okulo.core.checks import check_same_length
from okulo.core.errors import BadInput


@dataclass(frozen=True)
class Reliability:
    """One row a bin of answers of like confidence; an empty bin has nan for its means.

    `low`, `high`: bounds of the bin. `confidence`, `accuracy`: means over its answers.
    """

    low: Float64[np.ndarray, " b"]
    high: Float64[np.ndarray, " b"]
    count: Int64[np.ndarray, " b"]
    confidence: Float64[np.ndarray, " b"]
    accuracy: Float64[np.ndarray, " b"]


def reliability(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], *, bins: int = 15
) -> Reliability:
    """Put answers into `bins` bins of equal width over 0 to 1; bins are [a, b), the last [a, b].

    >>> got = reliability(np.array([0.2, 0.7, 0.9, 1.0]), np.array([False, True, True, False]), bins=2)
    >>> got.count, got.confidence.round(3), got.accuracy.round(3)
    (array([1, 3]), array([0.2  , 0.867]), array([0.   , 0.667]))
    """
    check_same_length(confidence=confidence, right=right)
    if len(confidence) and not (confidence.min() >= 0 and confidence.max() <= 1):
        raise BadInput("confidence", wanted="0 to 1", got=f"{confidence.min():g} to {confidence.max():g}")
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence.astype(np.float64), side="right")
    return _means(place, confidence, right, edges[:-1], edges[1:])


def reliability_equal_mass(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], *, bins: int = 15
) -> Reliability:
    """Put answers, sorted by confidence, into `bins` parts whose sizes differ by at most one.

    Answers of equal confidence stay together, in the bin the first of them falls in (so that the order of
    rows does not matter); bins that lose all their answers by this are left out. Bounds are those seen.

    >>> got = reliability_equal_mass(np.array([0.5, 0.9, 0.6, 0.9]), np.array([True] * 4), bins=2)
    >>> got.low, got.high, got.count
    (array([0.5, 0.9]), array([0.6, 0.9]), array([2, 2]))
    """
    check_same_length(confidence=confidence, right=right)
    order = np.argsort(confidence, kind="stable")
    values = confidence[order].astype(np.float64)
    n = len(values)
    first = np.searchsorted(values, values)  # where each answer's run of equals starts
    # np.array_split's rule: the first n mod bins parts hold one more.
    small, extra = divmod(n, bins)
    ends = np.cumsum([small + (i < extra) for i in range(bins)])
    place = np.searchsorted(ends, first, side="right")
    used, place = np.unique(place, return_inverse=True)
    low = np.full(len(used), np.inf)
    high = np.full(len(used), -np.inf)
    np.minimum.at(low, place, values)
    np.maximum.at(high, place, values)
    return _means(place, values, right[order], low, high)


def _means(
    place: Int64[np.ndarray, " n"],
    confidence: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    low: Float64[np.ndarray, " b"],
    high: Float64[np.ndarray, " b"],
) -> Reliability:
    bins = len(low)
    count = np.bincount(place, minlength=bins).astype(np.int64)

    def mean(values: np.ndarray) -> np.ndarray:
        total = np.bincount(place, weights=values, minlength=bins)
        value: np.ndarray = np.divide(total, count, out=np.full(bins, np.nan), where=count > 0)
        return value

    return Reliability(low, high, count, mean(confidence), mean(right))


def calibration_error(table: Reliability) -> float:
    """Expected calibration error: mean |accuracy − confidence| over bins, each by its answers.

    Guo et al. 2017 (arXiv 1706.04599) take 15 bins of equal width, closed above; ours are closed below.
    No answer: nan.

    >>> table = reliability(np.array([0.2, 0.7, 0.9, 1.0]), np.array([False, True, True, False]), bins=2)
    >>> round(calibration_error(table), 3)
    0.2
    """
    used = table.count > 0
    if not used.any():
        return float("nan")
    gap = np.abs(table.accuracy[used] - table.confidence[used])
    return float(gap @ table.count[used] / table.count.sum())


def worst_calibration_error(table: Reliability) -> float:
    """Maximum calibration error: the largest |accuracy − confidence| of a bin; small bins make it noisy.

    >>> table = reliability(np.array([0.2, 0.7, 0.9, 1.0]), np.array([False, True, True, False]), bins=2)
    >>> round(worst_calibration_error(table), 3)
    0.2
    """
    used = table.count > 0
    return float(np.abs(table.accuracy - table.confidence)[used].max()) if used.any() else float("nan")
