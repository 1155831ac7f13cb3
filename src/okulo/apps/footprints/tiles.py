"""Contours of rasters of any size: tile by tile, cut contours joined across the seams, memory flat.

A tile overlaps the next by one row of pixels; where a contour leaves a tile, the next computes the very same
point from the same two pixels. So the outlines are those of the whole raster, whatever the tiles, but
for rounding.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from okulo.algo.ring_kernels import area_of, inside_ring
from okulo.algo.rings import FlatPolygons, join_polygons, trace
from okulo.apps.footprints.raster import Mask

Ring = Float64[np.ndarray, "_ 2"]


class Seams:
    """Pieces of contours that wait for the tile in which they go on."""

    def __init__(self) -> None:
        self._by_start: dict[int, list[Ring]] = {}
        self._by_end: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._by_start)

    def add(self, piece: Ring, start: int, end: int) -> Ring | None:
        """Take a piece; if it closes a contour, give that back."""
        pieces = [piece]
        if start in self._by_end:  # something ends where this begins
            start_before = self._by_end.pop(start)
            pieces = [*self._by_start.pop(start_before), *pieces]
            del self._ends[start_before]
            start = start_before
        if end == start:
            return np.concatenate([each[:-1] for each in pieces])
        if end in self._by_start:  # something begins where this ends
            pieces = [*pieces, *self._by_start.pop(end)]
            end = self._ends.pop(end)
        self._by_start[start] = pieces
        self._ends[start] = end
        self._by_end[end] = start
        return None


def tiles_of(mask: Mask, tile: int) -> Iterator[tuple[int, int, int, int, bool]]:
    """Windows (row, column, height, width) that share a row and a column with the next, and: last of its
    row."""
    for row in range(0, max(1, mask.height - 1), tile):
        for column in range(0, max(1, mask.width - 1), tile):
            height, width = min(tile + 1, mask.height - row), min(tile + 1, mask.width - column)
            yield row, column, height, width, column + tile >= mask.width - 1


def outlines(mask: Mask, *, tile: int, min_area: float, min_hole: float) -> Iterator[FlatPolygons]:
    """Outline a mask: polygons with their holes, a batch for each row of tiles; areas in px²."""
    seams = Seams()
    outer: list[Ring] = []
    holes: list[Ring] = []
    for row, column, height, width, last in tiles_of(mask, tile):
        sides = (
            row == 0,
            column + width == mask.width,
            row + height == mask.height,
            column == 0,
        )
        values = mask.read(row, column, height, width)
        points, offsets, keys = trace(
            np.ascontiguousarray(values), mask.level, sides, (row, column), mask.width, min_area, min_hole
        )
        for index, (start, end) in enumerate(keys.tolist()):
            ring: Ring | None = points[offsets[index] : offsets[index + 1]]
            if start >= 0:
                assert ring is not None
                ring = seams.add(ring, start, end)
            if ring is None:
                continue
            area = area_of(ring)
            if area >= min_area and area > 0:
                outer.append(ring)
            elif -area >= min_hole and area < 0:
                holes.append(ring)
        if last:
            batch, holes = take_holes(outer, holes)
            outer = []
            if len(batch):
                yield batch


def take_holes(outer: list[Ring], holes: list[Ring]) -> tuple[FlatPolygons, list[Ring]]:
    """Give each outer ring its holes; those whose outer ring is not closed yet wait on."""
    mine: list[list[Ring]] = [[ring] for ring in outer]
    waiting: list[Ring] = []
    if not holes:
        return join_polygons([tuple(each) for each in mine]), waiting
    boxes = np.array([[*r.min(axis=0), *r.max(axis=0)] for r in outer]).reshape(-1, 4)
    areas = np.array([area_of(ring) for ring in outer])
    for hole in holes:
        (x0, y0), (x1, y1) = hole.min(axis=0), hole.max(axis=0)
        fits = (boxes[:, 0] <= x0) & (boxes[:, 1] <= y0) & (boxes[:, 2] >= x1) & (boxes[:, 3] >= y1)
        around = [int(o) for o in np.flatnonzero(fits) if inside_ring(hole[0, 0], hole[0, 1], outer[o])]
        if around:
            mine[min(around, key=lambda o: areas[o])].append(hole)
        else:
            waiting.append(hole)
    return join_polygons([tuple(each) for each in mine]), waiting
