"""The blending of `corners`, compiled: float32 in the order of Darknet and of the model file's graph."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def blend_row(row, unit, columns, out):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Blend one row of bytes (w, 3) into `out` (3, wide)."""
    first, second, left, right = columns
    for x in range(len(first)):
        a, b, p, q = first[x], second[x], left[x], right[x]
        out[0, x] = p * unit[row[a, 0]] + q * unit[row[b, 0]]
        out[1, x] = p * unit[row[a, 1]] + q * unit[row[b, 1]]
        out[2, x] = p * unit[row[a, 2]] + q * unit[row[b, 2]]


@numba.njit(nogil=True, cache=True)
def blend(image, unit, rows, columns, mean, std, out, top, left):  # type: ignore[no-untyped-def]
    """Blend bytes (h, w, 3) into `out` (3, H, W) from `top`, `left` on."""
    first, second, above, below = rows
    wide = len(columns[0])
    upper, lower = np.empty((3, wide), np.float32), np.empty((3, wide), np.float32)
    holds_upper, holds_lower = np.int64(-1), np.int64(-1)
    for y in range(len(first)):
        if first[y] == holds_lower:  # the row below has become the row above
            upper, lower = lower, upper
            holds_upper, holds_lower = holds_lower, holds_upper
        if first[y] != holds_upper:
            blend_row(image[first[y]], unit, columns, upper)
            holds_upper = first[y]
        if second[y] != holds_lower:
            blend_row(image[second[y]], unit, columns, lower)
            holds_lower = second[y]
        p, q = above[y], below[y]
        for c in range(3):
            m, s = mean[c], std[c]
            for x in range(wide):
                out[c, top + y, left + x] = (p * upper[c, x] + q * lower[c, x] - m) / s
