"""A small map of a picture's edges, on which it can be slid about."""

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

MAP_PX = 32
"""Side of the map of edges ..."""
INNER_PX = 24
"""... and the longer side of the picture in it: what is left is room to slide."""
MEAN_LEFT = 0.3
"""Share of the mean that stays: none of it would make plain pictures alike, all of it all pictures."""


def edge_map(small: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "m m"]:
    """Draw the edges of a small copy, in the middle of an empty map, length 1.

    Roots are taken so that a caption's edges do not drown a pale drawing's, and of the three channels the
    strongest edge counts, so that a recoloured or over-exposed area keeps its outline.

    >>> float(np.linalg.norm(edge_map(np.eye(24, dtype=np.uint8)[:, :, None].repeat(3, 2)))).__round__(3)
    1.0
    """
    values = small.astype(np.float32)
    strength = np.hypot(
        *(np.abs(cv2.Sobel(values, cv2.CV_32F, x, y, ksize=3)).max(axis=2) for x, y in ((1, 0), (0, 1)))
    )
    wide, high = _inner(small.shape[1], small.shape[0])
    drawn = np.sqrt(cv2.resize(strength, (wide, high), interpolation=cv2.INTER_AREA))
    drawn -= drawn.mean() * (1 - MEAN_LEFT)
    left, top = (MAP_PX - wide) // 2, (MAP_PX - high) // 2
    empty = np.zeros((MAP_PX, MAP_PX), np.float32)
    empty[top : top + high, left : left + wide] = drawn
    return empty / np.float32(max(1e-6, float(np.linalg.norm(empty))))


def map_matrix(width: float, height: float) -> Float64[np.ndarray, "3 3"]:
    """From pixels of a picture of this size to pixels of its map.

    >>> map_matrix(48, 24) @ [-0.5, -0.5, 1]  # the picture's upper left corner
    array([3.5, 9.5, 1. ])
    """
    wide, high = _inner(width, height)
    left, top = (MAP_PX - wide) // 2, (MAP_PX - high) // 2
    across, down = wide / width, high / height
    return np.array([[across, 0, across / 2 - 0.5 + left], [0, down, down / 2 - 0.5 + top], [0, 0, 1]])


def _inner(width: float, height: float) -> tuple[int, int]:
    scale = INNER_PX / max(width, height)
    return max(2, round(width * scale)), max(2, round(height * scale))
