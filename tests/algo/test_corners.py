"""Darknet's resizing against its own loops, written out, and against the model file's graph."""

import numpy as np
import pytest

from okulo.algo.corners import UNIT, to_corner_pixels
from okulo.core.model import Preprocess

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
SHAPES = [(30, 40), (40, 30), (7, 91), (16, 16), (1, 1), (1, 50), (61, 3)]


def by_loops(image: np.ndarray, high: int, wide: int) -> np.ndarray:
    """Write resize_image of src/image.c out again: first along the rows, then down."""
    height, width = image.shape[:2]
    picture, f = (image / np.float32(255)).astype(np.float32), np.float32
    part, out = np.zeros((height, wide, 3), f), np.zeros((high, wide, 3), f)
    across = f(width - 1) / f(wide - 1) if wide > 1 else f(0)
    down = f(height - 1) / f(high - 1) if high > 1 else f(0)
    for c in range(wide):
        if c == wide - 1 or width == 1:
            part[:, c] = picture[:, width - 1]
        else:
            ix = int(f(c) * across)
            dx = f(f(c) * across - f(ix))
            part[:, c] = (f(1) - dx) * picture[:, ix] + dx * picture[:, ix + 1]
    for r in range(high):
        iy = int(f(r) * down)
        dy = f(f(r) * down - f(iy))
        out[r] = (f(1) - dy) * part[iy]
        if r != high - 1 and height != 1:
            out[r] += dy * part[iy + 1]
    return out


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_it_is_darknets_loop(shape: tuple[int, int], fit: str) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    preprocess = Preprocess(size=(24, 32), fit=fit, filter="corners", **PLAIN)
    top, left, high, wide = preprocess.placed(*shape)
    wanted = np.full((24, 32, 3), 0.5, np.float32)
    wanted[top : top + high, left : left + wide] = by_loops(image, high, wide)
    np.testing.assert_array_equal(to_corner_pixels(image, preprocess).transpose(1, 2, 0), wanted)


def test_a_byte_is_the_share_darknet_makes_of_it() -> None:
    np.testing.assert_array_equal(UNIT, (np.arange(256) / 255.0).astype(np.float32))
