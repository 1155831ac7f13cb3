"""The two passes of `resize`, compiled. Every number is whole and below 2²⁴: float32 is exact."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first call and remember it on disk, or only in memory where no folder can be written."""
    try:
        return numba.njit(nogil=True, cache=True, fastmath=True)(function)
    except RuntimeError:  # numba found no place for its cache
        return numba.njit(nogil=True, fastmath=True)(function)


@compiled
def down(image, first, taps, half, scale):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Weigh rows of uint8 `image` (h, w·3) into float32 (H, w·3): floor(sum · scale + half)."""
    height, length = taps.shape[0], image.shape[1]
    out = np.empty((height, length), np.float32)
    for i in range(height):
        row = out[i]
        row[:] = 0
        for t in range(taps.shape[1]):
            weight = taps[i, t]
            if weight != 0:
                source = image[first[i] + t]
                for x in range(length):
                    row[x] += weight * np.float32(source[x])
        for x in range(length):
            row[x] = np.floor(row[x] * scale + half)
    return out


@compiled
def across(rows, first, taps, half, scale):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Weigh pixels of float32 `rows` (H, w·3) into uint8 (H, W, 3)."""
    height, width = rows.shape[0], taps.shape[0]
    out = np.empty((height, width, 3), np.uint8)
    for i in range(height):
        row = rows[i]
        for x in range(width):
            red, green, blue = np.float32(0), np.float32(0), np.float32(0)
            at = first[x] * 3
            for t in range(taps.shape[1]):
                weight = taps[x, t]
                red += weight * row[at]
                green += weight * row[at + 1]
                blue += weight * row[at + 2]
                at += 3
            out[i, x, 0] = np.uint8(np.floor(red * scale + half))
            out[i, x, 1] = np.uint8(np.floor(green * scale + half))
            out[i, x, 2] = np.uint8(np.floor(blue * scale + half))
    return out


@compiled
def look_up(image, table, out):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Write `table[channel, byte]` of bytes (H, W, 3) into `out`, channels first: float32 (3, H, W)."""
    height, width = image.shape[0], image.shape[1]
    for i in range(height):
        for x in range(width):
            out[0, i, x] = table[0, image[i, x, 0]]
            out[1, i, x] = table[1, image[i, x, 1]]
            out[2, i, x] = table[2, image[i, x, 2]]
