"""Antialiased bilinear resizing that gives the same bytes wherever it is computed.

The filter is that of Pillow's `BILINEAR` and of `torch.nn.functional.interpolate(antialias=True)`: a triangle
as wide as the reduction. Computed in floating point its result depends on the order of additions, and a value
near a half is rounded differently by each runtime. Here weights are whole numbers made by whole-number
arithmetic (16 bits down the columns, 12 along the rows, kept to a sixteenth of a level in between), so that
every sum is a whole number below 2²⁴: float32 holds it exactly, and a MatMul in ONNX, a compiled loop and a
browser agree bit for bit. The result is within one level of Pillow's and torch's.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from okulo.algo.resize_kernels import across, down, look_up
from okulo.core.model import Preprocess

COLUMN_BITS = 16
"""Weights of the pass down the columns add to 2¹⁶: times a byte they stay below 2²⁴."""
ROW_BITS = 12
"""Weights of the pass along the rows add to 2¹²: times 12 bits they stay below 2²⁴."""
BETWEEN_BITS = 4
"""The first pass keeps sixteenths of a level."""


def resize(image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
    """Resize a picture to `size` (height, width); one that has it already is given back as it is.

    >>> resize(np.uint8([[[0] * 3, [200] * 3]]), (1, 4))[0, :, 0]
    array([  0,  50, 150, 200], dtype=uint8)
    """
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    flat = np.ascontiguousarray(image).reshape(height, width * 3)
    flat = flat.view()
    flat.setflags(write=False)  # one kind of array, so that the kernel is compiled once
    first, taps = _band(height, size[0], COLUMN_BITS)
    rows = down(flat, first, taps, np.float32(0.5), np.float32(2.0 ** (BETWEEN_BITS - COLUMN_BITS)))
    first, taps = _band(width, size[1], ROW_BITS)
    scale = np.float32(2.0 ** -(BETWEEN_BITS + ROW_BITS))
    resized: np.ndarray = across(rows, first, taps, np.float32(0.5), scale)
    return resized


def cut_and_resize(image: UInt8[np.ndarray, "h w 3"], preprocess: Preprocess) -> UInt8[np.ndarray, "H W 3"]:
    """Bring a picture to the network's size as its `Preprocess` says.

    >>> cut_and_resize(np.zeros((5, 9, 3), np.uint8), Preprocess(size=(4, 6), fit="crop")).shape
    (4, 6, 3)
    """
    top, left, height, width = preprocess.window(image.shape[0], image.shape[1])
    return resize(image[top : top + height, left : left + width], preprocess.size)


def scale_table(preprocess: Preprocess) -> Float32[np.ndarray, "3 256"]:
    """Give what the network sees of each byte of each channel: `(byte / 255 - mean) / std`."""
    byte = np.arange(256, dtype=np.float32) / np.float32(255)
    return np.stack([(byte - np.float32(m)) / np.float32(s) for m, s in zip(preprocess.mean, preprocess.std)])


def to_pixels(
    image: UInt8[np.ndarray, "H W 3"],
    table: Float32[np.ndarray, "3 256"],
    out: Float32[np.ndarray, "3 H W"] | None = None,
) -> Float32[np.ndarray, "3 H W"]:
    """Scale a picture's bytes by `scale_table`, channels first; into `out` if given (a row of a batch)."""
    pixels = np.empty((3, *image.shape[:2]), np.float32) if out is None else out
    view = np.ascontiguousarray(image).view()
    view.setflags(write=False)
    look_up(view, table, pixels)
    return pixels


def weights(length: int, wanted: int, bits: int) -> Int64[np.ndarray, "m n"]:
    """Give the weight of each of `length` pixels in each of `wanted` ones; each row adds to 2^bits.

    Rounding is of the running sum, so that nothing gets lost however many pixels are weighed.

    >>> weights(4, 2, 4)
    array([[7, 7, 2, 0],
           [0, 2, 7, 7]])
    """
    first, taps = _band(length, wanted, bits)
    dense = np.zeros((wanted, length), np.int64)
    columns = first[:, None] + np.arange(taps.shape[1])
    dense[np.arange(wanted)[:, None], columns] = taps.astype(np.int64)
    return dense


@lru_cache(maxsize=512)
def _band(length: int, wanted: int, bits: int) -> tuple[Int64[np.ndarray, " m"], Float32[np.ndarray, "m t"]]:
    """The same weights without the zeros: where each row begins, and `t` weights from there."""
    widest = 2 * max(length, wanted)
    centre = (2 * np.arange(wanted, dtype=np.int64) + 1) * length
    count = min(length, widest // wanted + 2)
    first = np.clip((centre - widest) // (2 * wanted), 0, length - count)
    pixel = first[:, None] + np.arange(count)
    share = np.maximum(0, widest - np.abs((2 * pixel + 1) * wanted - centre[:, None]))
    running = np.cumsum(share, axis=1)
    total = running[:, -1:]
    running = ((running << (bits + 1)) + total) // (2 * total)  # rounded, not cut off
    taps = np.diff(running, axis=1, prepend=0).astype(np.float32)
    for each in (first, taps):
        each.setflags(write=False)
    return first, taps
