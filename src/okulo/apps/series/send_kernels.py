"""Recordings as PostgreSQL's binary COPY rows, compiled: how simulated ones get into a database."""

import numpy as np
from numba import njit


@njit(cache=True)
def _put(out: np.ndarray, at: int, value: int, size: int) -> int:
    """Write a big-endian signed integer of `size` bytes."""
    for i in range(size):
        out[at + i] = (value >> (8 * (size - 1 - i))) & 255
    return at + size


@njit(cache=True)
def binary_rows(ids: np.ndarray, values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Rows of (bigint, real[]); NaN is sent as null."""
    bits = values.view(np.uint32)
    out = np.empty(len(ids) * 38 + 8 * len(values), np.uint8)
    at = 0
    for row in range(len(ids)):
        first, last = offsets[row], offsets[row + 1]
        size = last - first
        nulls = 0
        for j in range(first, last):
            nulls += values[j] != values[j]
        at = _put(out, at, 2, 2)
        at = _put(out, at, 8, 4)
        at = _put(out, at, ids[row], 8)
        at = _put(out, at, 20 + 8 * size - 4 * nulls if size else 12, 4)
        at = _put(out, at, 1 if size else 0, 4)
        at = _put(out, at, 1 if nulls else 0, 4)
        at = _put(out, at, 700, 4)
        if size:
            at = _put(out, at, size, 4)
            at = _put(out, at, 1, 4)
        for j in range(first, last):
            if values[j] != values[j]:
                at = _put(out, at, -1, 4)
            else:
                at = _put(out, at, 4, 4)
                at = _put(out, at, np.int64(bits[j]), 4)  # type: ignore[arg-type]  # numba has one kind of int
    return out[:at]
