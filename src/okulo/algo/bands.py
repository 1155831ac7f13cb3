"""The weights of `resize`: whole numbers, made by whole-number arithmetic.

16 bits down the columns, 12 along the rows, a sixteenth of a level kept in between: every sum of weighted
pixels is a whole number below 2²⁴, which float32 holds exactly, in whatever order it is added up.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int64

COLUMN_BITS = 16
"""Weights of the pass down the columns add to 2¹⁶: times a byte they stay below 2²⁴."""
ROW_BITS = 12
"""Weights of the pass along the rows add to 2¹²: times 12 bits they stay below 2²⁴."""
BETWEEN_BITS = 4
"""The first pass keeps sixteenths of a level."""


def weights(length: int, wanted: int, bits: int) -> Int64[np.ndarray, "m n"]:
    """Give the weight of each of `length` pixels in each of `wanted` ones; each row adds to 2^bits.

    Rounding is of the running sum, so that nothing gets lost however many pixels are weighed.

    >>> weights(4, 2, 4)
    array([[7, 7, 2, 0],
           [0, 2, 7, 7]])
    """
    first, taps = band(length, wanted, bits)
    dense = np.zeros((wanted, length), np.int64)
    columns = first[:, None] + np.arange(taps.shape[1])
    dense[np.arange(wanted)[:, None], columns] = taps.astype(np.int64)
    return dense


@lru_cache(maxsize=512)
def band(length: int, wanted: int, bits: int) -> tuple[Int64[np.ndarray, " m"], Float32[np.ndarray, "m t"]]:
    """Give the same weights without the zeros: where each row begins, and `t` weights from there.

    >>> band(4, 2, 4)
    (array([0, 0]), array([[7., 7., 2., 0.],
           [0., 2., 7., 7.]], dtype=float32))
    """
    widest = 2 * max(length, wanted)
    centre = (2 * np.arange(wanted, dtype=np.int64) + 1) * length
    count = min(length, widest // wanted + 2)
    first = np.clip((centre - widest) // (2 * wanted), 0, length - count)
    pixel = first[:, None] + np.arange(count)
    share = np.maximum(0, widest - np.abs((2 * pixel + 1) * wanted - centre[:, None]))
    running = np.cumsum(share, axis=1)
    total = running[:, -1:]
    running = ((running << (bits + 1)) + total) // (2 * total)  # rounded, not cut off
    taps = np.diff(running, axis=1, prepend=0).astype(np.float32)
    for each in (first, taps):
        each.setflags(write=False)
    return first, taps
