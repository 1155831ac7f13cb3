"""Where two pictures differ: laid on each other, the difference in red over a pale copy of the first."""

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from okulo.core.errors import BadInput
from okulo.curate.duplicates.overlay import overlay

SHAPES_DIFFER = 0.03
"""Pictures whose aspect ratios differ by more than this share do not lie on each other as they are."""
NOISE = 6
"""Grey levels, of 255, that re-compression and resizing make; not shown."""
STRETCH = 4.0
"""A difference of 255 / STRETCH grey levels is full red."""
RED, BLUE = np.array([214, 20, 30], np.float32), np.array([60, 110, 200], np.float32)


def difference(
    a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "h2 w2 3"]
) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
    """Draw where `b` differs from `a`, and say the mean absolute difference of what both show (0 to 255).

    `b` is laid on `a`: scaled, or, where that fits better, shifted, turned and mirrored too. What only `a`
    shows is bluish. Pictures of another shape that do not lie on each other are BadInput.

    >>> black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    >>> difference(black, white)[1], difference(black, black)[1]
    (255.0, 0.0)
    """
    ways = [each for each in (_as_they_are(a, b), overlay(b, a)) if each is not None]
    if not ways:
        raise BadInput("difference", "the pictures have different shapes and do not lie on each other")
    laid = [_laid(a, b, way) for way in ways]
    apart, inside = min(laid, key=lambda each: float(each[0][each[1]].mean()))
    strength = ((apart.max(axis=2) - NOISE).clip(0) * (STRETCH / 255)).clip(0, 1)[:, :, None]
    grey = a.mean(axis=2, keepdims=True) * 0.35 + 255 * 0.62
    drawn = grey * (1 - strength) + RED * strength
    drawn = np.where(inside[:, :, None], drawn, grey * 0.7 + BLUE * 0.3)
    return drawn.round().clip(0, 255).astype(np.uint8), float(apart[inside].mean())


def _as_they_are(a: np.ndarray, b: np.ndarray) -> Float64[np.ndarray, "2 3"] | None:
    """All of `b` scaled onto all of `a`; None where their shapes differ."""
    (height, width), (height_b, width_b) = a.shape[:2], b.shape[:2]
    if abs((width / height) / (width_b / height_b) - 1) > SHAPES_DIFFER:
        return None
    across, down = width / width_b, height / height_b
    return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2]])


def _laid(
    a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "h2 w2 3"], way: Float64[np.ndarray, "2 3"]
) -> tuple[np.ndarray, np.ndarray]:
    """Absolute differences, and where both show something."""
    height, width = a.shape[:2]
    shrunk = float(np.sqrt(abs(np.linalg.det(way[:, :2]))))
    if shrunk < 0.7:  # average, where many pixels of b become one
        b = cv2.GaussianBlur(b, (0, 0), 0.4 / shrunk)
    seen = cv2.warpAffine(b, way, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    everywhere = np.ones(b.shape[:2], np.uint8)
    inside = cv2.warpAffine(everywhere, way, (width, height), flags=cv2.INTER_NEAREST) > 0
    if not inside.any():
        inside = np.ones((height, width), bool)
    return np.abs(a.astype(np.int16) - seen.astype(np.int16)), inside
