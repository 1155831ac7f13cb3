"""Darknet's way from a picture to `pixels`: bilinear between corner pixels, as shares, on middle grey.

It is that of `resize_image` and `letterbox_image` (pjreddie/darknet, src/image.c): the corner pixels of both
sizes fall on each other, nothing is averaged when a picture shrinks, nothing is rounded to bytes. An oddity
is kept: where rounding puts the last row just above the picture's last, the row below does not count.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from okulo.algo.corners_kernels import blend
from okulo.core.model import Preprocess

FILL = np.float32(0.5)
UNIT = np.arange(256, dtype=np.float32) / np.float32(255)


def to_corner_pixels(
    image: UInt8[np.ndarray, "h w 3"],
    preprocess: Preprocess,
    out: Float32[np.ndarray, "3 H W"] | None = None,
) -> Float32[np.ndarray, "3 H W"]:
    """Bring a picture to the network's size and scale as its `Preprocess` says; into `out` if given.

    >>> wide = Preprocess(size=(3, 3), fit="letterbox", filter="corners", mean=(0, 0, 0), std=(1, 1, 1))
    >>> to_corner_pixels(np.uint8([[[0] * 3, [51] * 3]]), wide)[0]
    array([[0.5, 0.5, 0.5],
           [0. , 0.1, 0.2],
           [0.5, 0.5, 0.5]], dtype=float32)
    """
    top, left, height, width = preprocess.window(image.shape[0], image.shape[1])
    part = np.ascontiguousarray(image[top : top + height, left : left + width]).view()
    part.setflags(write=False)  # one kind of array, so that the kernel is compiled once
    top, left, high, wide = preprocess.placed(height, width)
    pixels = np.empty((3, *preprocess.size), np.float32) if out is None else out
    mean, std = np.array(preprocess.mean, np.float32), np.array(preprocess.std, np.float32)
    if (high, wide) != preprocess.size:
        pixels[:] = ((FILL - mean) / std)[:, None, None]
    blend(part, UNIT, _rows(height, high), _columns(width, wide), mean, std, pixels, top, left)
    return pixels


Between = tuple[
    Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Float32[np.ndarray, " n"], Float32[np.ndarray, " n"]
]
"""The two old pixels each new one lies between, and their weights."""


@lru_cache(maxsize=256)
def _columns(length: int, wanted: int) -> Between:
    at = _positions(length, wanted)
    at[-1] = length - 1
    first = np.floor(at).astype(np.int64)
    share = at - np.floor(at)
    return first, np.minimum(first + 1, length - 1), np.float32(1) - share, share


@lru_cache(maxsize=256)
def _rows(length: int, wanted: int) -> Between:
    at = _positions(length, wanted)
    first = np.floor(at).astype(np.int64)
    share = at - np.floor(at)
    above = np.float32(1) - share
    share[-1] = 0
    return first, np.minimum(first + 1, length - 1), above, share


def _positions(length: int, wanted: int) -> Float32[np.ndarray, " n"]:
    scale = np.float32(length - 1) / np.float32(max(wanted - 1, 1))
    places: np.ndarray = np.arange(wanted, dtype=np.float32) * scale
    return places
