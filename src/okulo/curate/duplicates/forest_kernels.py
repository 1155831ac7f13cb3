"""A boosted forest's sum for one row or many, compiled."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def sum_trees(rows, roots, feature, threshold, left, right, missing_left, value):  # type: ignore[no-untyped-def]
    """Add up each tree's leaf: a split goes left where the number is at most the threshold."""
    out = np.zeros(len(rows))
    for i in range(len(rows)):
        for root in roots:
            node = root
            while left[node] >= 0:
                x = rows[i, feature[node]]
                goes_left = missing_left[node] if np.isnan(x) else x <= threshold[node]
                node = left[node] if goes_left else right[node]
            out[i] += value[node]
    return out
