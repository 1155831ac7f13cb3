"""Where the line between copies and look-alikes lies, read off the scores themselves."""

import numpy as np
from jaxtyping import Float32

USUAL = 0.7
"""Taken where there are too few pairs to see a valley."""
RANGE = (0.5, 0.95)
LEAST = 200


def choose_threshold(score: Float32[np.ndarray, " p"]) -> tuple[float, str]:
    """Choose the emptiest place between the two heaps of scores, from 0.5 to 0.95; says how it was chosen.

    Scores are probabilities, so their density is taken over the log-odds, smoothed by a Gaussian of half a
    unit. The middle of the widest emptiest stretch is chosen.

    >>> choose_threshold(np.float32([0.1, 0.99]))
    (0.7, 'the usual one: fewer than 200 pairs')
    """
    if len(score) < LEAST:
        return USUAL, f"the usual one: fewer than {LEAST} pairs"
    low, high = (float(np.log(x / (1 - x))) for x in RANGE)
    grid = np.linspace(low, high, 61)
    odds = score.astype(np.float64).clip(1e-6, 1 - 1e-6)
    odds = np.log(odds / (1 - odds))
    near = odds[(odds > grid[0] - 2) & (odds < grid[-1] + 2)]
    density = np.exp(-0.5 * ((grid[:, None] - near) / 0.5) ** 2).sum(axis=1)
    lowest = np.flatnonzero(density <= density.min() * 1.02 + 1e-9)
    chosen = float(grid[lowest[len(lowest) // 2]])
    value = 1 / (1 + np.exp(-chosen))
    return round(float(value), 3), "the emptiest place between copies and look-alikes"
