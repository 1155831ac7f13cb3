"""Greedy cover, compiled: the next centre is where weight × distance to all centres so far is largest.

With a `reach` above 0 a distance counts as 1 - exp(-(distance / reach)² / 2): far beyond it all are alike.
"""

import heapq
import math

import numpy as np
from numba import njit


@njit(cache=True)
def newness(squared: float, reach: float) -> float:
    """How new something is at this squared distance from what is known."""
    if reach > 0:
        return 1.0 - math.exp(-squared / (2 * reach * reach))
    return math.sqrt(squared)


@njit(cache=True)
def greedy_cover(
    vectors: np.ndarray,
    weight: np.ndarray,
    nearest: np.ndarray,
    groups: np.ndarray,
    wanted: int,
    reach: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose up to `wanted` rows; give them and how far each was (squared) from all centres when chosen.

    Exact, but lazy: distances only fall as centres are added, so a row's last known key bounds it from above,
    and only rows that come to the top of the heap are brought up to date.
    """
    n, d = vectors.shape
    heap = [(-weight[i] * newness(nearest[i], reach), i) for i in range(n)]
    heapq.heapify(heap)
    upto = np.zeros(n, np.int64)
    used = set([np.int64(-1)])  # noqa: C405  # numba knows no set literal of typed values
    chosen = np.empty(wanted, np.int64)
    far = np.empty(wanted, np.float64)
    count = 0
    while count < wanted and len(heap) > 0:
        _, i = heapq.heappop(heap)
        if groups[i] >= 0 and groups[i] in used:
            continue
        if upto[i] < count:
            least = nearest[i]
            for c in range(upto[i], count):
                total = np.float32(0)
                centre = chosen[c]
                for j in range(d):
                    step = vectors[i, j] - vectors[centre, j]
                    total += step * step
                least = min(least, total)
            nearest[i] = least
            upto[i] = count
            heapq.heappush(heap, (-weight[i] * newness(least, reach), i))
            continue
        chosen[count] = i
        far[count] = nearest[i]
        used.add(groups[i])
        count += 1
    return chosen[:count], far[:count]
