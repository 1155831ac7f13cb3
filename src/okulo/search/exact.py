"""Compare queries with every vector: exact, and what all else is measured against."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from okulo.core.checks import check_finite
from okulo.core.errors import BadInput

PART = 65_536
"""Rows compared at a time where some are left out."""


@dataclass(frozen=True)
class Found:
    """Nearest rows for each query, best first, and their cosines; where there are fewer than k, row is -1."""

    score: Float32[np.ndarray, "q k"]
    row: Int64[np.ndarray, "q k"]


def check_vectors(what: str, vectors: np.ndarray, length: int | None = None) -> Float32[np.ndarray, "n d"]:
    """Raise BadInput unless these are finite vectors of `length` values; gives them as float32 in one block.

    >>> check_vectors("query", np.zeros((1, 3)), 4)
    Traceback (most recent call last):
    okulo.core.errors.BadInput: query: expected vectors of 4 values, got 3; was it made by another model?
    """
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise BadInput(what, wanted="rows of numbers", got=f"{vectors.dtype} {vectors.shape}")
    if length is not None and vectors.shape[1] != length:
        hint = "was it made by another model?"
        raise BadInput(what, wanted=f"vectors of {length} values", got=vectors.shape[1], hint=hint)
    check_finite(what, vectors)
    return np.ascontiguousarray(vectors, np.float32)


def unit(what: str, vectors: np.ndarray, length: int | None = None) -> Float32[np.ndarray, "n d"]:
    """Bring vectors to length 1, so that a product is a cosine; one of length 0 is BadInput.

    >>> unit("query", np.array([[3.0, 4.0]])).tolist()
    [[0.6..., 0.8...]]
    """
    checked = check_vectors(what, vectors, length)
    norm = np.linalg.norm(checked, axis=1, keepdims=True)
    if (norm == 0).any():
        raise BadInput(what, f"row {int((norm == 0).argmax())} is all zeros", hint="it points nowhere")
    return np.asarray(checked / norm, np.float32)


def nearest(
    queries: Float32[np.ndarray, "q d"],
    base: Float32[np.ndarray, "n d"],
    k: int,
    allowed: Bool[np.ndarray, " n"] | None = None,
) -> Found:
    """Find the k rows with the largest product, of those allowed; FAISS's own comparison of all with all.

    >>> nearest(np.float32([[1, 0]]), np.float32([[0, 1], [1, 0], [0.6, 0.8]]), 2).row.tolist()
    [[1, 2]]
    """
    import faiss

    if allowed is None or allowed.all():
        if not len(base) or not len(queries):
            return nothing(len(queries), k)
        return fill(*faiss.knn(queries, base, min(k, len(base)), metric=faiss.METRIC_INNER_PRODUCT), k)
    best = nothing(len(queries), k)
    for start in range(0, len(base), PART):
        rows = np.flatnonzero(allowed[start : start + PART]) + start
        if not len(rows):
            continue
        part = base[start : start + PART] if len(rows) == PART else base[rows]
        score, at = faiss.knn(queries, part, min(k, len(rows)), metric=faiss.METRIC_INNER_PRODUCT)
        best = merge(best, Found(score, rows[at]), k)
    return best


def merge(one: Found, other: Found, k: int) -> Found:
    """The best k of two answers about different rows.

    >>> a, b = Found(np.float32([[0.9]]), np.array([[3]])), Found(np.float32([[0.95]]), np.array([[7]]))
    >>> merge(a, b, 1).row.tolist()
    [[7]]
    """
    score = np.concatenate([one.score, other.score], axis=1)
    row = np.concatenate([one.row, other.row], axis=1)
    order = np.argsort(-score, axis=1, kind="stable")[:, :k]
    return fill(np.take_along_axis(score, order, axis=1), np.take_along_axis(row, order, axis=1), k)


def nothing(queries: int, k: int) -> Found:
    """An answer that names no row."""
    return Found(np.full((queries, k), -np.inf, np.float32), np.full((queries, k), -1, np.int64))


def fill(score: np.ndarray, row: np.ndarray, k: int) -> Found:
    """Make an answer k wide; what an engine did not find is row -1 with score -inf."""
    known = np.where(row >= 0, score, -np.inf).astype(np.float32)
    more = ((0, 0), (0, k - row.shape[1]))
    if not more[1][1]:
        return Found(known, row.astype(np.int64))
    return Found(
        np.pad(known, more, constant_values=-np.inf), np.pad(row.astype(np.int64), more, constant_values=-1)
    )
