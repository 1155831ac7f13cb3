"""The main directions of a ring of points, compiled."""

import math

import numba
import numpy as np

CHORD = 6
"""Steps between the two ends of a chord."""
BINS = 90
SPREAD = 3
"""Bins to each side that count as one direction."""
APART = 7
"""Bins: a second direction is at least so far from the first, and from halfway between its sides."""


@numba.njit(nogil=True, cache=True)
def chord_histogram(points, edge):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Weigh the directions of all chords, modulo a quarter turn: length⁴ rewards what runs straight."""
    n = len(points)
    bins = np.zeros(BINS)
    step = max(1, min(CHORD, n // 4))
    for k in range(n):
        m = (k + step) % n
        if edge[k] and edge[m]:
            continue
        dx, dy = points[m, 0] - points[k, 0], points[m, 1] - points[k, 1]
        squared = dx * dx + dy * dy
        at = math.atan2(dy, dx) / (math.pi / 2) * BINS
        low = math.floor(at)
        share = at - low
        weight = squared * squared
        bins[int(low) % BINS] += weight * (1 - share)
        bins[int(low + 1) % BINS] += weight * share
    return bins


@numba.njit(nogil=True, cache=True)
def peak(bins, barred):  # type: ignore[no-untyped-def]
    """Find the heaviest direction (in bins, with a fraction) not barred, and its share of all weight."""
    heaviest, at = -1.0, 0
    for b in range(BINS):
        if barred[b]:
            continue
        weight = 0.0
        for d in range(-SPREAD, SPREAD + 1):
            weight += bins[(b + d) % BINS] * (1 - abs(d) / (SPREAD + 1.0))
        if weight > heaviest:
            heaviest, at = weight, b
    total, lean = 0.0, 0.0
    for d in range(-2 * SPREAD, 2 * SPREAD + 1):
        total += bins[(at + d) % BINS]
        lean += d * bins[(at + d) % BINS]
    whole = bins.sum()
    if total <= 0 or whole <= 0:
        return float(at), 0.0
    return at + lean / total, total / whole


@numba.njit(nogil=True, cache=True)
def main_directions(points, edge, least):  # type: ignore[no-untyped-def]
    """Give up to two directions (radians, modulo a quarter turn): how many, and which.

    The second must have at least the share `least` of the weight, and not be the diagonal of the first.
    """
    found = np.zeros(2)
    bins = chord_histogram(points, edge)
    barred = np.zeros(BINS, np.uint8)
    one, _ = peak(bins, barred)
    scale = (math.pi / 2) / BINS
    found[0] = one * scale
    for b in range(BINS):
        gap = abs((b - one + BINS / 4) % (BINS / 2) - BINS / 4)  # to the first or to its diagonal
        if gap < APART:
            barred[b] = 1
    two, share = peak(bins, barred)
    if share < least or barred[int(two + 0.5) % BINS]:
        return 1, found
    found[1] = two * scale
    return 2, found
