"""A lens that bends straight lines: where a pixel would lie without it, and back.

One number, k: what should lie at r from the middle lies at r·(1 + k·r²), r counted in half diagonals of the
picture (the first radial term of Brown 1966; OpenCV's k₁ is this k · (focal length / half diagonal)²).
Negative: a barrel, as wide lenses have.
"""

import numpy as np
from jaxtyping import Float64

ROUNDS = 30
LOWEST, HIGHEST = -0.3, 1.0
"""Below −⅓ the picture's corners would be folded back."""


def bend(
    pixels: Float64[np.ndarray, "n 2"], frame_px: tuple[int, int], k: float
) -> Float64[np.ndarray, "n 2"]:
    """Where the lens puts what would lie at these pixels.

    >>> bend(np.array([[100.0, 50.0], [50.0, 50.0]]), (100, 100), -0.1).round(2).tolist()
    [[97.5, 50.0], [50.0, 50.0]]
    """
    middle, unit = _frame(frame_px)
    off = (pixels - middle) / unit
    return np.asarray(middle + unit * off * (1 + k * (off**2).sum(axis=1, keepdims=True)))


def straighten(
    pixels: Float64[np.ndarray, "n 2"], frame_px: tuple[int, int], k: float
) -> Float64[np.ndarray, "n 2"]:
    """Where these pixels would lie without the lens: `bend` undone (Newton's method).

    >>> seen = np.array([[97.5, 50.0], [3.0, 99.0]])
    >>> bool(np.allclose(bend(straighten(seen, (100, 100), -0.1), (100, 100), -0.1), seen))
    True
    """
    if k == 0:
        return pixels
    middle, unit = _frame(frame_px)
    off = (pixels - middle) / unit
    seen = np.linalg.norm(off, axis=1, keepdims=True)
    r = seen.copy()
    for _ in range(ROUNDS):
        r = np.clip(r - (r * (1 + k * r**2) - seen) / np.maximum(1 + 3 * k * r**2, 1e-3), 0, 4)
    return np.asarray(middle + unit * off * np.divide(r, seen, out=np.ones_like(r), where=seen > 1e-12))


def _frame(frame_px: tuple[int, int]) -> tuple[Float64[np.ndarray, "2"], float]:
    size = np.array(frame_px, float)
    return size / 2, float(np.hypot(*size) / 2)
