"""Where in a picture something is to be seen: without frames and empty margins."""

import cv2
import numpy as np
from jaxtyping import UInt8

from okulo.curate.duplicates.trim_kernels import empty_lines

SEEN_PX = 384
"""Margins are looked for on a copy with this longer side."""
STEP = 24
"""A line is empty while its values stay this near to its middle colour (grey levels, any channel) ..."""
SHARE = 0.985
"""... in this share of its pixels."""
LEAST_PX = 8
"""Less than this is not worth looking at alone."""
LAYERS = 8
"""A frame, the page in it, what a shift brought in, and the blurred line between any two of them."""


def content_box(image: UInt8[np.ndarray, "h w 3"]) -> tuple[int, int, int, int]:
    """Give the box (left, top, right, bottom; pixels) that is left when frames and empty margins are cut off.

    All of the picture, where nothing would be left: a flag of plain stripes, a blank page.

    >>> page = np.full((100, 200, 3), 255, np.uint8)
    >>> page[10:90, 20:180] = np.random.default_rng(0).integers(0, 255, (80, 160, 3))
    >>> content_box(page)
    (20, 10, 180, 90)
    """
    height, width = image.shape[:2]
    scale = min(1.0, SEEN_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    seen = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
    left, top, right, bottom = _cut(seen)
    if min(right - left, bottom - top) < LEAST_PX:
        return 0, 0, width, height
    across, down = width / seen.shape[1], height / seen.shape[0]
    return (
        int(left * across),
        int(top * down),
        min(width, int(np.ceil(right * across))),
        min(height, int(np.ceil(bottom * down))),
    )


def _cut(image: UInt8[np.ndarray, "h w 3"]) -> tuple[int, int, int, int]:
    left, top, right, bottom = 0, 0, image.shape[1], image.shape[0]
    for _ in range(LAYERS):
        before = (left, top, right, bottom)
        top += _empty_lines(image[top:bottom, left:right])
        bottom -= _empty_lines(image[top:bottom, left:right][::-1])
        left += _empty_lines(image[top:bottom, left:right].transpose(1, 0, 2))
        right -= _empty_lines(image[top:bottom, left:right].transpose(1, 0, 2)[::-1])
        if (left, top, right, bottom) == before or min(right - left, bottom - top) < LEAST_PX:
            break
    return left, top, right, bottom


def _empty_lines(image: UInt8[np.ndarray, "h w 3"]) -> int:
    """How many lines at the top are of the first one's colour."""
    if not image.size:
        return 0
    red, green, blue = np.median(image[0], axis=0).tolist()
    return int(empty_lines(image, red, green, blue, STEP, 1 - SHARE))
