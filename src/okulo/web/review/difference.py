"""Where two pictures differ: the absolute difference, laid in red over a pale copy of the first."""

import cv2
import numpy as np
from jaxtyping import UInt8

from okulo.core.errors import BadInput

SHAPES_DIFFER = 0.03
"""Pictures whose aspect ratios differ by more than this share do not lie on each other."""
NOISE = 6
"""Grey levels, of 255, that re-compression and resizing make; not shown."""
STRETCH = 4.0
"""A difference of 255 / STRETCH grey levels is full red."""


def difference(
    a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "h2 w2 3"]
) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
    """Draw where `b` differs from `a`, and say the mean absolute difference (0 to 255).

    `b` is brought to the size of `a`; pictures of another shape are BadInput.

    >>> black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    >>> difference(black, white)[1], difference(black, black)[1]
    (255.0, 0.0)
    """
    (height, width), (height_b, width_b) = a.shape[:2], b.shape[:2]
    if abs((width / height) / (width_b / height_b) - 1) > SHAPES_DIFFER:
        raise BadInput("difference", "the pictures have different shapes")
    if (height, width) != (height_b, width_b):
        b = np.asarray(cv2.resize(b, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    apart = np.abs(a.astype(np.int16) - b.astype(np.int16))
    strength = ((apart.max(axis=2) - NOISE).clip(0) * (STRETCH / 255)).clip(0, 1)[:, :, None]
    grey = a.mean(axis=2, keepdims=True) * 0.35 + 255 * 0.62
    red = np.array([214, 20, 30], np.float32)
    drawn = grey * (1 - strength) + red * strength
    return drawn.round().clip(0, 255).astype(np.uint8), float(apart.mean())
