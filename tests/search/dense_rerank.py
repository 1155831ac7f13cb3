"""k-reciprocal re-ranking as its authors published it: dense matrices and loops (arXiv 1701.08398).

Written after the procedure of their paper and code; distances are Euclidean, as there.
"""

import numpy as np


def dense_rerank(
    distance: np.ndarray, queries: int, k1: int = 20, k2: int = 6, share: float = 0.3
) -> np.ndarray:
    """Re-ranked distances (queries, gallery) of Euclidean `distance` (n, n) , the queries first."""
    original = np.power(distance, 2).astype(np.float32)
    original = np.transpose(original / np.max(original, axis=0))
    n = len(original)
    rank = np.argsort(original, axis=1, kind="stable")
    near = np.zeros((n, n), np.float32)
    for i in range(n):
        members = _reciprocal(rank, i, k1)
        expansion = members
        for candidate in members:
            more = _reciprocal(rank, candidate, int(np.around(k1 / 2)))
            if len(np.intersect1d(more, members)) > 2 / 3 * len(more):
                expansion = np.append(expansion, more)
        expansion = np.unique(expansion)
        weight = np.exp(-original[i, expansion])
        near[i, expansion] = weight / np.sum(weight)
    if k2 != 1:
        near = np.stack([np.mean(near[rank[i, :k2]], axis=0) for i in range(n)])
    holders = [np.where(near[:, i] != 0)[0] for i in range(n)]
    jaccard = np.zeros((queries, n), np.float32)
    for i in range(queries):
        common = np.zeros((1, n), np.float32)
        for column in np.where(near[i, :] != 0)[0]:
            rows = holders[column]
            common[0, rows] += np.minimum(near[i, column], near[rows, column])
        jaccard[i] = 1 - common / (2.0 - common)
    final = jaccard * (1 - share) + original[:queries] * share
    return final[:, queries:]


def _reciprocal(rank: np.ndarray, i: int, k: int) -> np.ndarray:
    forward = rank[i, : k + 1]
    backward = rank[forward, : k + 1]
    return forward[np.where(backward == i)[0]]
