"""Contours of rasters of any size: tile by tile, cut contours joined across the seams, memory flat.

A tile overlaps the next by one row of pixels; where a contour leaves a tile, the next computes the very same
point from the same two pixels. So the outlines are those of the whole raster, whatever the tiles, but
for rounding.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
from jaxtyping import Float64, Int64

from okulo.algo.ring_kernels import area_of, inside_ring
from okulo.algo.rings import FlatPolygons, join_polygons, trace
from okulo.apps.footprints.raster import Mask

Ring = Float64[np.ndarray, "_ 2"]
Traced = tuple[Float64[np.ndarray, "n 2"], Int64[np.ndarray, " r"], Int64[np.ndarray, "s 2"]]
LEAST_TILE = 512
"""Smaller tiles than this gain nothing by threads, px."""


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


def traced(
    mask: Mask, tile: int, smallest: tuple[float, float], threads: int
) -> Iterator[tuple[bool, Traced]]:
    """Trace tile after tile, as many ahead as there are threads: last of its row, and what `trace` says."""

    def jobs() -> Iterator[tuple[bool, Callable[[], Traced]]]:
        for row, column, height, width, last in tiles_of(mask, tile):
            sides = (row == 0, column + width == mask.width, row + height == mask.height, column == 0)
            values = np.ascontiguousarray(mask.read(row, column, height, width))  # files: by one thread only
            yield (
                last,
                partial(trace, values, mask.level, sides, (row, column), mask.width, *smallest),
            )

    if threads < 2:
        for last, job in jobs():
            yield last, job()
        return
    waiting: deque[tuple[bool, Future[Traced]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for last, job in jobs():
            waiting.append((last, pool.submit(job)))
            if len(waiting) > threads:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()


def outlines(
    mask: Mask, *, tile: int, min_area: float, min_hole: float, threads: int = 1
) -> Iterator[FlatPolygons]:
    """Outline a mask: polygons with their holes, a batch for each row of tiles; areas in px².

    A mask that one tile holds is one batch, from top to bottom; several threads share its tracing.
    """
    longest = max(mask.height, mask.width)
    whole = longest <= tile
    if whole and threads > 1:
        tile = max(LEAST_TILE, -(-longest // threads))
    seams = Seams()
    outer: list[Ring] = []
    holes: list[Ring] = []
    for last, (points, offsets, keys) in traced(mask, tile, (min_area, min_hole), threads):
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
        if last and not whole:
            batch, holes = take_holes(outer, holes)
            outer = []
            if len(batch):
                yield batch
    if outer:
        outer.sort(key=lambda ring: tuple(ring[ring[:, 1].argmin(), ::-1]))
        yield take_holes(outer, holes)[0]


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
