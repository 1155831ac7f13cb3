"""Sort points along a curve, compiled."""

import numpy as np
from numba import prange

from okulo.algo.mesh.compiled import compiled, either

DIGIT = 11
"""Bits that one pass of the radix sort looks at."""


@either
def curve_keys(points, low, scale):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Interleave the bits of each point's cell, x lowest; a point takes 15 bits an axis."""
    keys = np.empty(len(points), np.int64)
    for i in prange(len(points)):
        key = np.int64(0)
        for d in range(3):
            cell = np.int64((points[i, d] - low[d]) * scale)
            for bit in range(15):
                key |= ((cell >> bit) & 1) << (3 * bit + d)
        keys[i] = key
    return keys


@compiled
def radix_order(keys, below):  # type: ignore[no-untyped-def]
    """Places of the smallest of whole numbers from 0 to `below` - 1, of the next, …; equals keep theirs."""
    order = np.arange(len(keys))
    other = np.empty_like(order)
    shift = 0
    while shift == 0 or (below - 1) >> shift > 0:
        ends = np.zeros((1 << DIGIT) + 1, np.int64)
        for i in range(len(keys)):
            ends[((keys[i] >> shift) & ((1 << DIGIT) - 1)) + 1] += 1
        for d in range(1 << DIGIT):
            ends[d + 1] += ends[d]
        for i in range(len(keys)):
            digit = (keys[order[i]] >> shift) & ((1 << DIGIT) - 1)
            other[ends[digit]] = order[i]
            ends[digit] += 1
        order, other = other, order
        shift += DIGIT
    return order


@compiled
def renumbered(faces, order):  # type: ignore[no-untyped-def]
    """New numbers of vertices that now come in this order, the faces by them, each face's lowest one."""
    which = np.empty(len(order), np.int64)
    for new in range(len(order)):
        which[order[new]] = new
    out = np.empty_like(faces)
    first = np.empty(len(faces), np.int64)
    for i in range(len(faces)):
        for k in range(3):
            out[i, k] = which[faces[i, k]]
        first[i] = min(out[i, 0], out[i, 1], out[i, 2])
    return which, out, first


@compiled
def step_in_memory(faces):  # type: ignore[no-untyped-def]
    """How far vertex numbers of a face, and those of one face and the next, are apart on average."""
    total = 0
    for i in range(len(faces)):
        total += abs(faces[i, 0] - faces[i, 1]) + abs(faces[i, 1] - faces[i, 2])
        if i > 0:
            total += abs(faces[i, 0] - faces[i - 1, 0])
    return total / (3 * max(len(faces), 1))
