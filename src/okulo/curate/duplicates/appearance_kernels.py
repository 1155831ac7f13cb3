"""Sums over the blocks of two aligned pictures, compiled: one pass to fit the exposure, one to compare."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def fit_exposure(a, b, inside, step, gain, offset, cap):  # type: ignore[no-untyped-def]  # compiled by numba
    """Fit `b ≈ gain · a + offset` on values that neither picture clips; least squares both ways.

    Only where a first guess is nearer than `cap` is looked, so that what was written on one is not.
    """
    n = 0.0
    sa = sb = saa = sbb = sab = 0.0
    for y in range(0, b.shape[0], step):
        for x in range(0, b.shape[1], step):
            if inside[y, x]:
                for c in range(3):
                    u, v = float(a[y, x, c]), float(b[y, x, c])
                    if 4 <= u <= 250 and 4 <= v <= 250 and abs(gain * u + offset - v) < cap:
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
def fit_gain(a, b, inside, step, cap):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Fit `b ≈ min(255, gain · a)`, gain 1 to 6, on every `step`th pixel: least mean difference, capped."""
    best, best_gap = 1.0, 1e9
    low, high = 0.0, np.log(6.0)
    for _ in range(2):  # a coarse search, then a fine one round its best
        width = (high - low) / 12
        for k in range(13):
            gain = np.exp(low + k * width)
            gap, n = 0.0, 0
            for y in range(0, b.shape[0], step):
                for x in range(0, b.shape[1], step):
                    if inside[y, x]:
                        for c in range(3):
                            gap += min(cap, abs(min(255.0, gain * a[y, x, c]) - b[y, x, c]))
                            n += 1
            gap /= max(n, 1)
            if gap < best_gap - 1e-9:
                best, best_gap = gain, gap
        low, high = max(0.0, np.log(best) - width), np.log(best) + width
    return best, best_gap


@numba.njit(nogil=True, cache=True)
def mean_gap(a, b, inside, step, gain, offset, cap):  # type: ignore[no-untyped-def]  # compiled by numba
    """Mean difference, capped, over every `step`th pixel when `a` is brought to `b`'s exposure."""
    gap, n = 0.0, 0
    for y in range(0, b.shape[0], step):
        for x in range(0, b.shape[1], step):
            if inside[y, x]:
                for c in range(3):
                    gap += min(cap, abs(min(255.0, max(0.0, gain * a[y, x, c] + offset)) - b[y, x, c]))
                    n += 1
    return gap / max(n, 1)


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


@numba.njit(nogil=True, cache=True)
def plain_share(a, b, inside, top, bottom, gain, offset):  # type: ignore[no-untyped-def]  # compiled by numba
    """Of the pixels in these rows that differ clearly, the share of the commonest colour in either picture.

    Colours are told apart in 6 steps a channel; 1 where fewer than 10 pixels differ.
    """
    seen_a, seen_b = np.zeros(216, np.int64), np.zeros(216, np.int64)
    n = 0
    for y in range(top, bottom):
        for x in range(b.shape[1]):
            if inside[y, x]:
                gap, i, j = 0.0, 0, 0
                for c in range(3):
                    u = min(255.0, max(0.0, gain * a[y, x, c] + offset))
                    gap += abs(u - b[y, x, c])
                    i = 6 * i + a[y, x, c] // 43
                    j = 6 * j + b[y, x, c] // 43
                if gap > 120:
                    n += 1
                    seen_a[i] += 1
                    seen_b[j] += 1
    return max(seen_a.max(), seen_b.max()) / n if n >= 10 else 1.0
