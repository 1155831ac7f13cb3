"""`resize` by numpy alone, to the same bytes: for a process that must be up at once and stay small.

The compiled loop costs 100 MB and a second at the start and is 1.5 to 4 times faster; the model file's own
graph multiplies by matrices that are nearly all zeros and is 4 to 9 times slower.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, UInt8

from okulo.algo.bands import BETWEEN_BITS, COLUMN_BITS, ROW_BITS, band
from okulo.core.model import GREY, Preprocess

TOGETHER = 4
"""Rows of the result whose sources lie near each other are one small matrix product."""

Block = tuple[int, int, np.ndarray]
"""From which source on, up to which, and their weights (float32) in each of some rows of the result."""


def scale_table(preprocess: Preprocess) -> Float32[np.ndarray, "3 256"]:
    """Give what the network sees of each byte of each channel: `(byte / 255 - mean) / std`."""
    byte = np.arange(256, dtype=np.float32) / np.float32(255)
    return np.stack([(byte - np.float32(m)) / np.float32(s) for m, s in zip(preprocess.mean, preprocess.std)])


def probes(preprocess: Preprocess) -> list[UInt8[np.ndarray, "h w 3"]]:
    """Pictures that show a difference in cut, filter, rounding or scale: larger, smaller, as it is."""
    rng = np.random.default_rng(0)
    high, wide = preprocess.size
    shapes = [(high * 2 + 3, wide + 6), (high // 2 + 1, wide * 2 + 1), (high, wide)]
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def plain_pixels(
    image: UInt8[np.ndarray, "h w 3"], preprocess: Preprocess, table: Float32[np.ndarray, "3 256"]
) -> Float32[np.ndarray, "3 H W"]:
    """Cut, resize and scale (by `table`, see `scale_table`) a picture, channels first.

    >>> table = np.tile(np.arange(256, dtype=np.float32), (3, 1))
    >>> plain_pixels(np.uint8([[[0] * 3, [200] * 3]]), Preprocess(size=(1, 4)), table)[0]
    array([[  0.,  50., 150., 200.]], dtype=float32)
    """
    top, left, height, width = preprocess.window(image.shape[0], image.shape[1])
    cut = image[top : top + height, left : left + width]
    top, left, height, width = preprocess.placed(height, width)
    planes = cut if cut.shape[:2] == (height, width) else _resized(cut, (height, width))
    if (height, width) != preprocess.size:
        canvas = np.full((*preprocess.size, 3), GREY, np.uint8)
        canvas[top : top + height, left : left + width] = planes
        planes = canvas
    planes = planes.transpose(2, 0, 1)
    pixels = np.empty(planes.shape, np.float32)
    for channel in range(3):
        np.take(
            table[channel], planes[channel], out=pixels[channel], mode="clip"
        )  # clip: into `out` directly
    return pixels


def _resized(image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
    height, width = image.shape[:2]
    rows = _weigh(image.reshape(height, width * 3), _blocks(height, size[0], COLUMN_BITS))
    _scale(rows, BETWEEN_BITS - COLUMN_BITS)
    np.floor(rows, out=rows)
    turned = rows.reshape(size[0], width, 3).transpose(1, 0, 2).reshape(width, size[0] * 3)
    columns = _weigh(turned, _blocks(width, size[1], ROW_BITS))
    _scale(columns, -BETWEEN_BITS - ROW_BITS)
    return columns.astype(np.uint8).reshape(size[1], size[0], 3).transpose(1, 0, 2)


def _weigh(source: np.ndarray, blocks: tuple[Block, ...]) -> Float32[np.ndarray, "m n"]:
    out = np.empty((sum(len(matrix) for _, _, matrix in blocks), source.shape[1]), np.float32)
    at = 0
    for start, stop, matrix in blocks:
        np.matmul(matrix, source[start:stop].astype(np.float32, copy=False), out=out[at : at + len(matrix)])
        at += len(matrix)
    return out


def _scale(values: Float32[np.ndarray, "m n"], bits: int) -> None:
    """Shift by so many bits, and by a half: what is cut off later is then rounded; in place."""
    values *= np.float32(2.0**bits)
    values += np.float32(0.5)


@lru_cache(maxsize=256)
def _blocks(length: int, wanted: int, bits: int) -> tuple[Block, ...]:
    """Cut the matrix of weights into small dense ones along its diagonal."""
    first, taps = band(length, wanted, bits)
    blocks = []
    for at in range(0, wanted, TOGETHER):
        some = slice(at, at + TOGETHER)
        start, stop = int(first[some][0]), int(first[some][-1]) + taps.shape[1]
        matrix = np.zeros((len(first[some]), stop - start), np.float32)
        columns = first[some, None] - start + np.arange(taps.shape[1])
        matrix[np.arange(len(matrix))[:, None], columns] = taps[some]
        matrix.setflags(write=False)
        blocks.append((start, stop, matrix))
    return tuple(blocks)
