"""Nearest neighbours of every vector, and which vectors are far from all others."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

EXACT_UP_TO = 200_000
"""More rows are searched in the nearest 32 of √n cells instead of all."""
CELLS_VISITED = 32


@dataclass(frozen=True)
class Neighbours:
    """For every row the nearest other rows, nearest first, and their squared distances."""

    index: Int64[np.ndarray, "n m"]
    """-1 where there is none."""
    distance: Float32[np.ndarray, "n m"]
    """Squared; infinity where there is none."""


def find_neighbours(
    vectors: Float32[np.ndarray, "n d"], groups: Int64[np.ndarray, " n"] | None = None, *, m: int = 20
) -> Neighbours:
    """Find the `m` nearest rows of every row, itself and its copies (the rows of its group) left out.

    A copy carries its original's label, right or wrong, so it is no witness. A negative group is none.

    >>> two = np.float32([[0], [1], [1.5], [9]])
    >>> find_neighbours(two, m=1).index.ravel().tolist()
    [1, 2, 1, 2]
    >>> find_neighbours(two, np.array([-1, 7, 7, -1]), m=1).index.ravel().tolist()
    [1, 0, 0, 2]
    """
    n = len(vectors)
    largest = 1
    if groups is not None and (groups >= 0).any():
        largest = int(np.bincount(groups[groups >= 0] - groups[groups >= 0].min()).max(initial=1))
    asked = min(n, m + min(largest, 50))
    distance, index = _search(np.ascontiguousarray(vectors), asked)
    usable = (index >= 0) & (index != np.arange(n)[:, None])
    if groups is not None:
        usable &= ~((groups[index] == groups[:, None]) & (groups[:, None] >= 0))
    order = np.argsort(~usable, axis=1, kind="stable")[:, : min(m, asked)]
    keep = np.take_along_axis(usable, order, axis=1)
    found = np.where(keep, np.take_along_axis(index, order, axis=1), -1)
    far = np.where(keep, np.maximum(np.take_along_axis(distance, order, axis=1), 0), np.inf)
    return Neighbours(found.astype(np.int64), far.astype(np.float32))


def _search(vectors: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    import faiss

    n, d = vectors.shape
    index: faiss.Index = faiss.IndexFlatL2(d)
    if n > EXACT_UP_TO:
        cells = faiss.IndexIVFFlat(index, d, int(n**0.5))
        cells.train(vectors[:: max(1, n // (64 * int(n**0.5)))])
        cells.nprobe = CELLS_VISITED
        cells.add(vectors)
        distance, found = cells.search(vectors, m)
        return distance, found
    index.add(vectors)
    distance, found = index.search(vectors, m)
    return distance, found


def outlier_score(neighbours: Neighbours, *, m: int = 5) -> Float32[np.ndarray, " n"]:
    """How far an item is from its `m` nearest, against what is usual in its surroundings.

    Mean distance to the neighbours over the median of the same among those neighbours (a relative of the
    local outlier factor, Breunig et al. 2000, without reachability); 1 is ordinary, 2 twice as lonely.

    >>> line = np.float32([[0], [1], [2], [3], [4], [20]])
    >>> outlier_score(find_neighbours(line, m=2), m=2).round(1)
    array([ 1.5,  0.8,  1. ,  0.8,  1.5, 13.2], dtype=float32)
    """
    near = np.sqrt(neighbours.distance[:, :m])
    known = np.isfinite(near)
    mean = np.where(known, near, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    around = np.where(known, mean[neighbours.index[:, :m]], np.nan)
    alone = ~known.any(axis=1)
    around[alone] = 1.0
    usual = np.nanmedian(around, axis=1)
    floor = max(float(np.median(mean)) * 1e-3, 1e-12)  # copies have distance 0
    score = (mean + floor) / (usual + floor)
    score[alone] = 1.0
    return np.asarray(score, np.float32)


def find_outliers(score: Float32[np.ndarray, " n"], *, spread: float = 6.0) -> Bool[np.ndarray, " n"]:
    """Scores more than `spread` robust deviations above the median (of the logarithm), and above 1.5.

    >>> find_outliers(np.float32([1, 1.1, 0.9, 1, 1.05, 4])).tolist()
    [False, False, False, False, False, True]
    """
    if not len(score):
        return np.zeros(0, bool)
    logs = np.log(np.maximum(score, 1e-6))
    middle = np.median(logs)
    width = 1.4826 * np.median(np.abs(logs - middle))
    return np.asarray((logs > middle + spread * width) & (score > 1.5))
