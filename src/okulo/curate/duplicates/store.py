"""Sketches of all pictures of a table, in files of fixed-size rows, so that memory stays flat."""

import os
from pathlib import Path

import numpy as np

from okulo.curate.duplicates.sketch import FEATURES, SMALL_PX, THUMB_PX, Sketch

BYTES_EACH = 3 * SMALL_PX**2 + 2 * THUMB_PX**2 + FEATURES * (128 + 8)
STEPS = 255.0
"""A RootSIFT value, 0 to 1, is kept in this many steps."""


class SketchStore:
    """Puts sketches away by number and gives them back; about 50 kB of disk each.

    Writing different numbers from several threads is safe.
    """

    def __init__(self, folder: Path, count: int) -> None:
        def rows(name: str, dtype: type[np.generic], *shape: int) -> np.ndarray:
            path = folder / f"{name}.bin"
            size = max(1, count) * int(np.prod(shape)) * np.dtype(dtype).itemsize
            with path.open("wb") as opened:
                os.truncate(opened.fileno(), size)  # a sparse file: takes room when it is filled
            return np.memmap(path, dtype, "r+", shape=(max(1, count), *shape))

        self._small = rows("small", np.uint8, SMALL_PX, SMALL_PX, 3)
        self._thumb = rows("thumb", np.float16, THUMB_PX * THUMB_PX)
        self._at = rows("at", np.float32, FEATURES, 2)
        self._features = rows("features", np.uint8, FEATURES, 128)
        self._shape = np.zeros((count, 3), np.int32)
        self.sharpness = np.zeros(count, np.float32)
        self.pixels: list[str] = [""] * count

    def put(self, number: int, seen: Sketch) -> None:
        """Keep a sketch."""
        height, width = seen.small.shape[:2]
        found = len(seen.at)
        self._small[number, :height, :width] = seen.small
        self._thumb[number] = seen.thumb
        self._at[number, :found] = seen.at
        self._features[number, :found] = np.round(seen.features * STEPS)
        self._shape[number] = height, width, found
        self.sharpness[number] = seen.sharpness
        self.pixels[number] = seen.pixels

    def get(self, number: int) -> Sketch:
        """Give a sketch back."""
        height, width, found = (int(side) for side in self._shape[number])
        return Sketch(
            np.ascontiguousarray(self._small[number, :height, :width]),
            np.asarray(self._thumb[number], np.float32),
            np.array(self._at[number, :found]),
            np.asarray(self._features[number, :found], np.float32) / np.float32(STEPS),
            float(self.sharpness[number]),
            self.pixels[number],
        )
