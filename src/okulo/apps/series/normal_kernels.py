"""How far recordings lie from normal ones of their length, compiled."""

import math

import numpy as np
from numba import njit, prange


@njit(parallel=True, cache=True)
def deviations(
    features: np.ndarray,
    length: np.ndarray,
    knots: np.ndarray,
    middle: np.ndarray,
    spread: np.ndarray,
) -> np.ndarray:
    """(feature − middle) / spread, both interpolated by length between the knots; what is undefined is 0."""
    n, d = features.shape
    out = np.empty((n, d), np.float32)
    last = len(knots) - 1
    for i in prange(n):
        at = 0
        while at < last - 1 and length[i] > knots[at + 1]:
            at += 1
        share = 0.0
        if last > 0:
            share = min(max((length[i] - knots[at]) / (knots[at + 1] - knots[at]), 0.0), 1.0)
        other = min(at + 1, last)
        for j in range(d):
            m = middle[at, j] + share * (middle[other, j] - middle[at, j])
            s = spread[at, j] + share * (spread[other, j] - spread[at, j])
            z = (features[i, j] - m) / s
            out[i, j] = z if not math.isnan(z) else 0.0
    return out


@njit(parallel=True, cache=True)
def unlikeness(z: np.ndarray, band: float) -> np.ndarray:
    """Length of what each row's deviations have beyond the band in which normal ones lie."""
    n, d = z.shape
    out = np.empty(n, np.float32)
    for i in prange(n):
        total = 0.0
        for j in range(d):
            beyond = abs(z[i, j]) - band
            if beyond > 0:
                total += min(beyond, 1e9) ** 2
        out[i] = math.sqrt(total)
    return out
