"""Many polygons as flat arrays, contours of rasters at sub-pixel positions, and the way to `Polygons` and
back."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from okulo.algo.contour_kernels import trace_tile
from okulo.algo.ring_kernels import area_of, holders
from okulo.core.checks import check_array
from okulo.core.errors import BadInput
from okulo.core.nouns import Polygons


@dataclass(frozen=True)
class FlatPolygons:
    """Polygons one after another: all points, where each ring begins, with which ring each polygon begins.

    >>> flat = FlatPolygons.of(Polygons(((np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]]),),)))
    >>> len(flat), flat.rings.tolist(), flat.polygons.tolist(), flat.areas().tolist()
    (1, [0, 4], [0, 1], [16.0])
    """

    points: Float64[np.ndarray, "n 2"]
    rings: Int64[np.ndarray, " r1"]
    polygons: Int64[np.ndarray, " p1"]

    def __post_init__(self) -> None:
        check_array("points", self.points, np.float64, (None, 2))
        check_array("rings", self.rings, np.int64, (None,))
        check_array("polygons", self.polygons, np.int64, (None,))
        if not len(self.rings) or self.rings[-1] != len(self.points):
            raise BadInput("rings", wanted=f"offsets up to {len(self.points)}", got=self.rings[-1:])
        if not len(self.polygons) or self.polygons[-1] != len(self.rings) - 1:
            raise BadInput("polygons", wanted=f"offsets up to {len(self.rings) - 1}", got=self.polygons[-1:])

    def __len__(self) -> int:
        return len(self.polygons) - 1

    @classmethod
    def of(cls, polygons: Polygons) -> "FlatPolygons":
        """Flatten polygons."""
        rings = [ring for each in polygons.rings for ring in each]
        points = np.concatenate(rings) if rings else np.empty((0, 2))
        return cls(
            points, _offsets([len(ring) for ring in rings]), _offsets([len(p) for p in polygons.rings])
        )

    def ring(self, index: int) -> Float64[np.ndarray, "_ 2"]:
        """Give one ring's points, a view."""
        return self.points[self.rings[index] : self.rings[index + 1]]

    def polygon(self, index: int) -> tuple[Float64[np.ndarray, "_ 2"], ...]:
        """Give one polygon's rings, views."""
        return tuple(self.ring(r) for r in range(self.polygons[index], self.polygons[index + 1]))

    def nest(self, crs: str = "") -> Polygons:
        """Make the noun of them."""
        return Polygons(tuple(self.polygon(index) for index in range(len(self))), crs)

    def areas(self) -> Float64[np.ndarray, " p"]:
        """Area of each polygon, holes taken off, in square units of the points."""
        ring_areas = np.array([abs(area_of(self.ring(r))) for r in range(len(self.rings) - 1)])
        first = self.polygons[:-1]
        signs = -np.ones(len(ring_areas))
        signs[first] = 1.0
        sums = np.concatenate([[0.0], np.cumsum(signs * ring_areas)])
        areas: np.ndarray = sums[self.polygons[1:]] - sums[first]
        return areas

    def with_points(self, points: Float64[np.ndarray, "n 2"]) -> "FlatPolygons":
        """The same rings with other coordinates."""
        return FlatPolygons(np.ascontiguousarray(points, np.float64), self.rings, self.polygons)

    def part(self, first: int, last: int) -> "FlatPolygons":
        """The polygons `first` to `last` - 1, views where that is possible."""
        low, high = self.polygons[first], self.polygons[last]
        a, b = self.rings[low], self.rings[high]
        return FlatPolygons(
            self.points[a:b], self.rings[low : high + 1] - a, self.polygons[first : last + 1] - low
        )

    def take(self, which: Int64[np.ndarray, " m"]) -> "FlatPolygons":
        """Some of them, in this order."""
        return join_polygons([self.polygon(int(index)) for index in which])


def join_polygons(polygons: list[tuple[Float64[np.ndarray, "_ 2"], ...]]) -> FlatPolygons:
    """Lay polygons, each a tuple of rings, one after another."""
    rings = [ring for each in polygons for ring in each]
    points = np.concatenate(rings) if rings else np.empty((0, 2))
    return FlatPolygons(points, _offsets([len(r) for r in rings]), _offsets([len(p) for p in polygons]))


def _offsets(lengths: list[int]) -> Int64[np.ndarray, " n"]:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def contours(
    values: Shaped[np.ndarray, "h w"], level: float, *, min_area: float = 0.0, min_hole: float = 0.0
) -> FlatPolygons:
    """Outline where a raster is above `level`: polygons with holes, at sub-pixel positions, x right and y
    down.

    Marching squares (Lorensen and Cline 1987 in two dimensions): a pixel's value stands at its centre
    (j + ½, i + ½), and between centres the level is found by linear interpolation, so that a mask's area is
    kept to a corner's worth; outlines of what the picture's edge cuts run along that edge. Two pixels that
    touch only by a corner are one if the four around that corner are above the level on average. Outer rings
    have positive area (x towards y), holes negative. `min_area`, `min_hole`: smaller ones are left out, px².

    >>> mask = np.zeros((5, 5), np.uint8)
    >>> mask[1:4, 1:4] = 1
    >>> found = contours(mask, 0.5)
    >>> len(found), round(float(found.areas()[0]), 2), found.points.min(axis=0).tolist()
    (1, 8.5, [1.0, 1.0])
    """
    sides = (True, True, True, True)
    points, offsets, _ = trace(values, level, sides, (0, 0), values.shape[1], min_area, min_hole)
    return nest_rings(points, offsets)


def trace(
    values: Shaped[np.ndarray, "h w"],
    level: float,
    sides: tuple[bool, bool, bool, bool],
    origin: tuple[int, int],
    width: int,
    min_area: float,
    min_hole: float,
) -> tuple[Float64[np.ndarray, "n 2"], Int64[np.ndarray, " r"], Int64[np.ndarray, "s 2"]]:
    """Trace the contours of one tile of a raster (see `trace_tile`): points, where each begins, its two
    keys."""
    if values.dtype == np.bool_:
        values = values.view(np.uint8)
    whole = values.dtype.kind in "iu"
    limit = values.dtype.type(np.floor(level) if whole else level)
    room = max(1024, 64 * sum(values.shape))
    while True:
        points = np.empty((room, 2))
        offsets, keys = trace_tile(
            values, float(level), limit, sides, origin, width, (2 * min_area, 2 * min_hole), points
        )
        if len(offsets):
            return points[: offsets[-1]].copy(), offsets, keys
        room *= 4


def nest_rings(points: Float64[np.ndarray, "n 2"], offsets: Int64[np.ndarray, " r"]) -> FlatPolygons:
    """Put rings together: each of negative area becomes a hole of the smallest that holds it."""
    count = len(offsets) - 1
    areas = np.array([area_of(points[a:b]) for a, b in pairwise(offsets)], np.float64)
    if not (areas < 0).any():
        return FlatPolygons(points, offsets, np.arange(count + 1))
    holder = holders(points, offsets, areas)
    order = np.lexsort((areas < 0, np.where(holder < 0, np.arange(count), holder)))
    order = order[(holder[order] >= 0) | (areas[order] > 0)]  # a hole without an outer ring is dropped
    rings = [points[offsets[r] : offsets[r + 1]] for r in order]
    starts = np.flatnonzero(areas[order] > 0)
    polygons = np.append(starts, len(order)).astype(np.int64)
    flat = np.concatenate(rings) if rings else np.empty((0, 2))
    return FlatPolygons(flat, _offsets([len(ring) for ring in rings]), polygons)
