"""Sums over the blocks of two aligned pictures, compiled: one pass to fit the exposure, one to compare."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def fit_exposure(a, b, inside):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Fit `b ≈ gain · a + offset` on values that neither picture clips; least squares both ways."""
    n = 0.0
    sa = sb = saa = sbb = sab = 0.0
    for y in range(b.shape[0]):
        for x in range(b.shape[1]):
            if inside[y, x]:
                for c in range(3):
                    u, v = float(a[y, x, c]), float(b[y, x, c])
                    if 4 <= u <= 250 and 4 <= v <= 250:
                        n += 1
                        sa += u
                        sb += v
                        saa += u * u
                        sbb += v * v
                        sab += u * v
    if n < 60:
        return 1.0, 0.0
    va, vb, cov = saa / n - (sa / n) ** 2, sbb / n - (sb / n) ** 2, sab / n - sa * sb / n / n
    if va < 4 or vb < 4 or cov <= 0:
        return 1.0, 0.0
    gain = np.sqrt(vb / va)  # a line through both clouds' spread: no side is the cause of the other
    return gain, sb / n - gain * sa / n


@numba.njit(nogil=True, cache=True)
def block_sums(a, b, inside, blocks, gain, offset):  # type: ignore[no-untyped-def]  # compiled by numba
    """Sum per block, with `a` brought to `b`'s exposure and clipped: n, a, b, aa, bb, ab, |a - b|."""
    sums = np.zeros((blocks, blocks, 7))
    height, width = b.shape[0], b.shape[1]
    for y in range(height):
        i = y * blocks // height
        for x in range(width):
            if inside[y, x]:
                j = x * blocks // width
                for c in range(3):
                    u = min(255.0, max(0.0, gain * a[y, x, c] + offset))
                    v = float(b[y, x, c])
                    sums[i, j, 0] += 1
                    sums[i, j, 1] += u
                    sums[i, j, 2] += v
                    sums[i, j, 3] += u * u
                    sums[i, j, 4] += v * v
                    sums[i, j, 5] += u * v
                    sums[i, j, 6] += abs(u - v)
    return sums
