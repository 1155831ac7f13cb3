"""Which candidates are above the threshold, compiled."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True, inline="always")
def highest(row):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """The largest of a row's numbers: without a branch, so most candidates are passed over quickly."""
    most = row[0]
    for j in range(1, len(row)):
        most = max(most, row[j])
    return most


@numba.njit(nogil=True, cache=True)
def above(scores, threshold):  # type: ignore[no-untyped-def]
    """Rows and classes of all scores above the threshold, class by class."""
    n, k = scores.shape
    starts = np.zeros(k + 1, np.int64)
    for i in range(n):
        if highest(scores[i]) > threshold:
            for j in range(k):
                if scores[i, j] > threshold:
                    starts[j + 1] += 1
    starts = np.cumsum(starts)
    rows, labels = np.empty(starts[k], np.int64), np.empty(starts[k], np.int32)
    for i in range(n):
        if highest(scores[i]) > threshold:
            for j in range(k):
                if scores[i, j] > threshold:
                    rows[starts[j]], labels[starts[j]] = i, j
                    starts[j] += 1
    return rows, labels
