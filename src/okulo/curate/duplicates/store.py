"""Sketches of all pictures of a table, in files of fixed-size rows, so that memory stays flat."""

import os
from pathlib import Path

import numpy as np

from okulo.curate.duplicates.edges import MAP_PX
from okulo.curate.duplicates.sketch import FEATURES, FOCUS_PX, SMALL_PX, THUMB_PX, Sketch, View

BYTES_EACH = 3 * (SMALL_PX**2 + FOCUS_PX**2) + 4 * THUMB_PX**2 + FEATURES * (128 + 8) + 2 * MAP_PX**2
STEPS = 255.0
"""A RootSIFT value, 0 to 1, is kept in this many steps."""


class SketchStore:
    """Puts sketches away by number and gives them back; about 100 kB of disk each.

    Writing different numbers from several threads is safe.
    """

    def __init__(self, folder: Path, count: int) -> None:
        def rows(name: str, dtype: type[np.generic], *shape: int) -> np.ndarray:
            path = folder / f"{name}.bin"
            size = max(1, count) * int(np.prod(shape)) * np.dtype(dtype).itemsize
            with path.open("wb") as opened:
                os.truncate(opened.fileno(), size)  # a sparse file: takes room when it is filled
            return np.memmap(path, dtype, "r+", shape=(max(1, count), *shape))

        self._whole = rows("whole", np.uint8, SMALL_PX, SMALL_PX, 3)
        self._focus = rows("focus", np.uint8, FOCUS_PX, FOCUS_PX, 3)
        self._thumb = rows("thumb", np.float16, 2, THUMB_PX * THUMB_PX)
        self._at = rows("at", np.float32, FEATURES, 2)
        self._features = rows("features", np.uint8, FEATURES, 128)
        self._edges = rows("edges", np.float16, MAP_PX, MAP_PX)
        self._shape = np.zeros((count, 5), np.int32)
        self._frame = np.zeros((count, 6), np.float64)
        self.sharpness = np.zeros(count, np.float32)
        self.pixels: list[str] = [""] * count

    def put(self, number: int, seen: Sketch) -> None:
        """Keep a sketch."""
        found = len(seen.at)
        for kept, view in ((self._whole, seen.whole), (self._focus, seen.focus)):
            kept[number, : view.small.shape[0], : view.small.shape[1]] = view.small
        self._thumb[number] = seen.whole.thumb, seen.focus.thumb
        self._frame[number] = *seen.size, *seen.box
        self._edges[number] = seen.edges
        self._at[number, :found] = seen.at
        self._features[number, :found] = np.round(seen.features * STEPS)
        self._shape[number] = *seen.whole.small.shape[:2], *seen.focus.small.shape[:2], found
        self.sharpness[number] = seen.sharpness
        self.pixels[number] = seen.pixels

    def get(self, number: int) -> Sketch:
        """Give a sketch back."""
        high, wide, height, width, found = (int(side) for side in self._shape[number])
        thumbs = np.asarray(self._thumb[number], np.float32)
        across, down, left, top, right, bottom = self._frame[number].tolist()
        return Sketch(
            View(np.ascontiguousarray(self._whole[number, :high, :wide]), thumbs[0]),
            View(np.ascontiguousarray(self._focus[number, :height, :width]), thumbs[1]),
            np.array(self._at[number, :found]),
            np.asarray(self._features[number, :found], np.float32) / np.float32(STEPS),
            np.asarray(self._edges[number], np.float32),
            (across, down),
            (left, top, right, bottom),
            float(self.sharpness[number]),
            self.pixels[number],
        )
