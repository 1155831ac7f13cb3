"""k-reciprocal re-ranking (Zhong et al. 2017, arXiv 1701.08398), sparse: memory grows with items, not pairs.

Two pictures are alike if each is among the other's neighbours. Every item becomes a sparse vector over its
k-reciprocal neighbours (and theirs), averaged over its k2 nearest; the Jaccard distance of two such vectors
is mixed with their own distance. The numbers are those of the authors' published code, which squares
Euclidean distances and scales each item's by its longest; the dense matrices it makes of them are not made.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32, Int64

from okulo.core.errors import BadInput
from okulo.search import rerank_kernels as kernels
from okulo.search.exact import Found, check_vectors

BLOCK_VALUES = 16_000_000
"""Similarities in memory at a time (64 MB)."""


@dataclass(frozen=True, kw_only=True)
class Reciprocal:
    """k1: neighbours that count as near; k2: neighbours averaged over; share of the plain distance kept."""

    k1: int = 20
    k2: int = 6
    share: float = 0.3

    def __post_init__(self) -> None:
        if self.k1 < 1 or self.k2 < 1 or not 0 <= self.share <= 1:
            raise BadInput("re-ranking", wanted="k1 ≥ 1, k2 ≥ 1, share 0 to 1", got=self)


@dataclass(frozen=True)
class _Sparse:
    """Averaged neighbourhoods of all items by rows, those of the gallery by columns."""

    starts: Int64[np.ndarray, " s"]
    columns: Int32[np.ndarray, " v"]
    values: Float32[np.ndarray, " v"]
    column_starts: Int64[np.ndarray, " s"]
    rows: Int32[np.ndarray, " w"]
    turned: Float32[np.ndarray, " w"]


def distances(
    queries: Float32[np.ndarray, "q d"], gallery: Float32[np.ndarray, "g e"], how: Reciprocal | None = None
) -> Float32[np.ndarray, "q g"]:
    """Re-ranked distances of every query (vectors of length 1) to the whole gallery, 0 to 1.

    >>> near = np.float32([[1, 0], [0.6, 0.8]])
    >>> distances(near[:1], near, Reciprocal(k1=1, k2=1)).round(2).tolist()
    [[0.0, 1.0]]
    """
    how = how or Reciprocal()
    if not len(queries) or not len(gallery):
        return np.zeros((len(queries), len(gallery)), np.float32)
    every, least, sparse = _prepare(queries, gallery, how)
    return _finish(every, least, sparse, len(queries), 0, len(queries), how)


def best(
    queries: Float32[np.ndarray, "q d"],
    gallery: Float32[np.ndarray, "g e"],
    k: int,
    how: Reciprocal | None = None,
) -> Found:
    """The k best of the gallery after re-ranking; its score is 1 - distance. Memory grows with items only."""
    how = how or Reciprocal()
    k = min(k, len(gallery))
    score, row = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
    if not len(queries) or not k:
        return Found(score, row)
    every, least, sparse = _prepare(queries, gallery, how)
    step = max(1, BLOCK_VALUES // len(gallery))
    for start in range(0, len(queries), step):
        end = min(start + step, len(queries))
        block = _finish(every, least, sparse, len(queries), start, end, how)
        order = np.argsort(block, axis=1, kind="stable")[:, :k]
        row[start:end] = order
        score[start:end] = 1 - np.take_along_axis(block, order, axis=1)
    return Found(score, row)


def _prepare(
    queries: Float32[np.ndarray, "q d"], gallery: Float32[np.ndarray, "g e"], how: Reciprocal
) -> tuple[Float32[np.ndarray, "n d"], Float32[np.ndarray, " n"], _Sparse]:
    every = np.concatenate(
        [check_vectors("queries", queries), check_vectors("gallery", gallery, queries.shape[1])]
    )
    n = len(every)
    wide, narrow = min(how.k1 + 1, n), min(int(np.around(how.k1 / 2)) + 1, n)
    near, least = neighbours(every, max(wide, min(how.k2, n)))
    sets, set_count = np.empty((n, wide), np.int32), np.empty(n, np.int32)
    half, half_count = np.empty((n, narrow), np.int32), np.empty(n, np.int32)
    kernels.reciprocal(near, wide, sets, set_count)
    kernels.reciprocal(near, narrow, half, half_count)
    members, count = np.empty((n, wide * (narrow + 1)), np.int32), np.empty(n, np.int32)
    kernels.expand(sets, set_count, half, half_count, members, count)
    members = np.ascontiguousarray(members[:, : int(count.max())])
    weights = np.empty(members.shape, np.float32)
    kernels.weigh(every, members, count, least, weights)
    return every, least, _averaged(near, min(how.k2, n), members, weights, count, len(queries))


def _averaged(
    near: Int32[np.ndarray, "n m"],
    many: int,
    members: Int32[np.ndarray, "n c"],
    weights: Float32[np.ndarray, "n c"],
    count: Int32[np.ndarray, " n"],
    queries: int,
) -> _Sparse:
    n = len(near)
    starts = np.zeros(n + 1, np.int64)
    kernels.average(
        near, many, members, weights, count, starts, np.empty(0, np.int32), np.empty(0, np.float32)
    )
    starts = np.cumsum(starts)
    columns, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    kernels.average(near, many, members, weights, count, starts, columns, values)
    held = int(starts[-1] - starts[queries])
    column_starts = np.zeros(n + 1, np.int64)
    rows, turned = np.empty(held, np.int32), np.empty(held, np.float32)
    kernels.turn(starts, columns, values, queries, column_starts, rows, turned)
    return _Sparse(starts, columns, values, column_starts, rows, turned)


def neighbours(
    vectors: Float32[np.ndarray, "n d"], many: int
) -> tuple[Int32[np.ndarray, "n m"], Float32[np.ndarray, " n"]]:
    """Each row's `many` nearest rows, itself among them, of equals the first; and its least product.

    >>> neighbours(np.float32([[1, 0], [0, 1], [0.8, 0.6]]), 2)[0].tolist()
    [[0, 2], [1, 2], [2, 0]]
    """
    n = len(vectors)
    rows, least = np.empty((n, many), np.int32), np.empty(n, np.float32)
    values = np.empty((n, many), np.float32)
    step = max(1, BLOCK_VALUES // n)
    for start in range(0, n, step):
        part = slice(start, min(start + step, n))
        kernels.best_and_least(vectors[part] @ vectors.T, rows[part], values[part], least[part])
    return rows, least


def _finish(
    every: Float32[np.ndarray, "n d"],
    least: Float32[np.ndarray, " n"],
    sparse: _Sparse,
    queries: int,
    start: int,
    end: int,
    how: Reciprocal,
) -> Float32[np.ndarray, "b g"]:
    longest = np.maximum(2 - 2 * least[start:end, None], np.float32(1e-12))
    out = np.maximum(2 - 2 * (every[start:end] @ every[queries:].T), 0) / longest
    kernels.jaccard(
        sparse.starts,
        sparse.columns,
        sparse.values,
        sparse.column_starts,
        sparse.rows,
        sparse.turned,
        start,
        np.float32(how.share),
        out,
    )
    return np.asarray(out, np.float32)
