"""Union-find, compiled."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def component_roots(count, first, second):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Give every node the smallest node of its component: union-find with path halving (Tarjan 1975)."""
    parent = np.arange(count)
    for k in range(len(first)):
        i, j = first[k], second[k]
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        while parent[j] != j:
            parent[j] = parent[parent[j]]
            j = parent[j]
        if i < j:
            parent[j] = i
        elif j < i:
            parent[i] = j
    for i in range(count):  # a parent is never larger than its child: one pass upwards is enough
        parent[i] = parent[parent[i]]
    return parent
