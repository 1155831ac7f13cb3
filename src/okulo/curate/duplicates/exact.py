"""What needs no likeness: equal bytes, equal pixels, and which vectors the pictures have."""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

from okulo.core.errors import BadInput


def first_of_each(values: pl.Series) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " u"]]:
    """Number equal values alike, in the order they come; and where each number comes first."""
    if not len(values):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    _, first, number = np.unique(values.to_numpy(), return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number], np.sort(first).astype(np.int64)


def same_pixels(pixels: list[str], readable: Bool[np.ndarray, " u"]) -> Int64[np.ndarray, " u"]:
    """For each picture, the first that has the same pixels; one that cannot be read is like no other."""
    first: dict[str, int] = {}
    same = np.arange(len(pixels), dtype=np.int64)
    for number, name in enumerate(pixels):
        if readable[number]:
            same[number] = first.setdefault(name, number)
    return same


def read_vectors(
    column: pl.Series, number: Int64[np.ndarray, " n"], count: int
) -> tuple[Float32[np.ndarray, "u d"], Bool[np.ndarray, " u"]]:
    """Give each of `count` pictures the vector of one of its rows, and say which have a usable one.

    >>> rows = [[1.0, 0.0], None, [0.0, float("nan")]]
    >>> column = pl.Series("embedding", rows, dtype=pl.Array(pl.Float32, 2))
    >>> read_vectors(column, np.array([0, 0, 1]), 2)[1].tolist()
    [True, False]
    """
    if isinstance(column.dtype, pl.Array):
        length = int(column.dtype.shape[0])
    else:
        lengths = column.drop_nulls().list.len().unique().to_list()
        if len(lengths) > 1:
            raise BadInput(
                f"column {column.name}", "its vectors differ in length", hint=f"{sorted(lengths)[:3]} …"
            )
        length = int(lengths[0]) if lengths else 1
    there = column.is_not_null().to_numpy()
    matrix = np.zeros((len(column), length), np.float32)
    if there.any():
        kept = column.drop_nulls().cast(pl.Array(pl.Float32, length))
        matrix[there] = kept.to_numpy().reshape(-1, length)
    usable = there & np.isfinite(matrix).all(axis=1)
    vectors, known = np.zeros((count, length), np.float32), np.zeros(count, bool)
    rows = np.flatnonzero(usable)
    vectors[number[rows]] = matrix[rows]
    known[number[rows]] = True
    return vectors, known
