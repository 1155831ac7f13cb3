"""Antialiased bilinear resizing that gives the same bytes wherever it is computed.

The filter is that of Pillow's `BILINEAR` and of `torch.nn.functional.interpolate(antialias=True)`: a triangle
as wide as the reduction. Computed in floating point its result depends on the order of additions, and a value
near a half is rounded differently by each runtime. Here weights are whole numbers (see `bands`), every sum
is a whole number below 2²⁴, float32 holds it exactly, and a MatMul in ONNX, a compiled loop, numpy
(`resize_plain`) and a browser agree bit for bit. The result is within one level of Pillow's and torch's.
"""

import numpy as np
from jaxtyping import Float32, UInt8

from okulo.algo.bands import BETWEEN_BITS, COLUMN_BITS, ROW_BITS, band
from okulo.algo.resize_kernels import across, down, look_up
from okulo.core.errors import BadInput
from okulo.core.model import GREY, Preprocess


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
    first, taps = band(height, size[0], COLUMN_BITS)
    rows = down(flat, first, taps, np.float32(0.5), np.float32(2.0 ** (BETWEEN_BITS - COLUMN_BITS)))
    first, taps = band(width, size[1], ROW_BITS)
    scale = np.float32(2.0 ** -(BETWEEN_BITS + ROW_BITS))
    resized: np.ndarray = across(rows, first, taps, np.float32(0.5), scale)
    return resized


def cut_and_resize(image: UInt8[np.ndarray, "h w 3"], preprocess: Preprocess) -> UInt8[np.ndarray, "H W 3"]:
    """Bring a picture to the network's size as its `Preprocess` says.

    >>> cut_and_resize(np.zeros((5, 9, 3), np.uint8), Preprocess(size=(4, 6), fit="crop")).shape
    (4, 6, 3)
    """
    if preprocess.filter != "antialiased":
        raise BadInput("filter", wanted="antialiased, which gives bytes", got=repr(preprocess.filter))
    top, left, height, width = preprocess.window(image.shape[0], image.shape[1])
    part = image[top : top + height, left : left + width]
    top, left, height, width = preprocess.placed(height, width)
    if (height, width) == preprocess.size:
        return resize(part, preprocess.size)
    canvas = np.full((*preprocess.size, 3), GREY, np.uint8)
    canvas[top : top + height, left : left + width] = resize(part, (height, width))
    return canvas


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
