"""Ragged outlines of buildings to regular ones: few corners, right angles, parallel sides.

```text
outline ─▶ points 1 px apart ─▶ main directions ─▶ cheapest cut into sides ─▶ lines ─▶ corners ─▶ checked
```

Sides run along or across one or two main directions, diagonally to them, or freely; which is which is found
by an exact dynamic programme whose price for a side grows with the roughness of the outline itself. What
comes out is valid and keeps the area to a floor; if nothing regular does, it says so.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from okulo.algo.rings import FlatPolygons
from okulo.apps.footprints.polygon_kernels import regular_all
from okulo.core.errors import BadInput
from okulo.core.nouns import Polygons

STATUS = ("regular", "already regular", "circle", "curved", "simplified", "kept")
"""What became of a polygon: made regular; it was; made a circle; curved, so only simplified; nothing regular
kept its area, so only simplified; kept as it was, since nothing else stayed valid and on its area."""
REASONS = {
    "regular": "",
    "already regular": "its sides were right-angled and long",
    "circle": "a circle fits better than sides",
    "curved": "most of it runs along no direction: only simplified",
    "simplified": "no regular outline overlaps the mask enough: only simplified",
    "kept": "nothing simpler stays valid and overlaps the mask enough",
}
QUARTER = np.pi / 2


@dataclass(frozen=True, kw_only=True)
class Regularity:
    """How regular outlines are made. Lengths are in pixels (or the unit given to `regularize`).

    `strength` is the one knob for most: 1 is what was measured; 2 takes away steps twice as deep, ½ keeps
    half as deep ones. The rest is what was found best on simulated buildings.
    """

    strength: float = 1.0
    iou_floor: float = 0.7
    """Intersection over union with the input that is never gone below."""
    side_price: float = 15.0
    """What one more side must save in squared distances, px²…"""
    price_per_variance: float = 32.0
    """…and so much more for each px² of variance of the outline about its sides."""
    bend: float = 12.0
    """What a point costs where the outline runs at a right angle to its side, px²; elsewhere sin² of it.
    Where walls wander in blobs of 2.5 px, lean and distance weigh the same so (2 · 2.5²)."""
    diagonal: float = 1.85
    """How much dearer a diagonal is than a side along or across,"""
    second: float = 1.2
    """a side along the second main direction,"""
    free: float = 4.0
    """and one of any direction."""
    second_share: float = 0.18
    """Least share of the outline that a second main direction needs to be tried,"""
    another: float = 2.0
    """and so many sides' prices are what it must save."""
    tolerance: float = 0.6
    """How far an outline that is only simplified may be off."""
    step: int = 3
    """Sides begin at every so many of the points, which are 1 px apart."""
    trim: int = 2
    """So many points next to a corner do not count for a side's line: noise rounds corners."""
    rounds: int = 4
    """How often price and directions are fitted anew at most."""

    def __post_init__(self) -> None:
        if not 0.05 <= self.strength <= 20:
            raise BadInput(
                "strength", wanted="a number from 0.05 to 20 (1 is the default)", got=self.strength
            )
        if not 0 <= self.iou_floor <= 1:
            raise BadInput("iou-floor", wanted="a share from 0 to 1", got=self.iou_floor)

    def options(self) -> Float64[np.ndarray, " o"]:
        """As the kernels take them."""
        bold = self.strength**2
        return np.array(
            [
                *(self.side_price * bold, self.price_per_variance * bold, self.iou_floor, self.step),
                *(self.trim, self.second_share, self.rounds, self.tolerance),
                *(self.diagonal, self.second, self.free, self.bend, self.another),
            ],
            np.float64,
        )


@dataclass(frozen=True)
class Regularized:
    """Regular outlines, and of each: what became of it, IoU with the input, main direction, roughness."""

    outlines: FlatPolygons
    status: UInt8[np.ndarray, " n"]
    """An index of `STATUS`."""
    iou: Float64[np.ndarray, " n"]
    angle_deg: Float64[np.ndarray, " n"]
    """Main direction from x towards y, 0 to 90."""
    roughness: Float64[np.ndarray, " n"]
    """Standard deviation of the input about the sides, in pixels (or the unit given)."""
    directions: UInt8[np.ndarray, " n"]
    """How many main directions its sides have: 1 or 2; 0 where there was nothing to do."""

    def __len__(self) -> int:
        return len(self.status)

    def names(self) -> list[str]:
        """The status of each in a word."""
        return [STATUS[each] for each in self.status]


@dataclass(frozen=True)
class Frame:
    """How pixels lie in the world: `matrix` (2, 2) takes a step in pixels to units in which angles are true.

    The identity for square pixels. Its units are about a pixel, so that all lengths can be said in pixels.
    """

    matrix: Float64[np.ndarray, "2 2"] = field(default_factory=lambda: np.eye(2))

    def axes(self) -> Float64[np.ndarray, "2 2"]:
        """Unit normals of the picture's rows and columns in those units."""
        ways = self.matrix.T  # of x and of y, as rows
        normals = np.stack([-ways[:, 1], ways[:, 0]], axis=1)
        unit: np.ndarray = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        return unit


def regularize(
    polygons: Polygons,
    regularity: Regularity | None = None,
    *,
    unit: float = 1.0,
    share_directions: float = 0.0,
    threads: int = 1,
) -> tuple[Polygons, Regularized]:
    """Make polygons regular; the answer has the same order, and what became of each beside it.

    `unit`: what counts as a pixel, in units of the coordinates: how fine the outlines' detail is.
    `share_directions`: neighbours within this distance (of their middles) take one direction if theirs are
    alike.

    >>> rough = np.array([[0.0, 0.3], [9, -0.3], [20, 0.2], [20.3, 6], [19.8, 12], [10, 11.7], [0, 12.2]])
    >>> made, told = regularize(Polygons((((rough,)),)))
    >>> made.rings[0][0].round(0).shape, told.names()
    ((4, 2), ['regular'])
    """
    if not unit > 0:
        raise BadInput("unit", wanted="a length above 0", got=unit)
    check_polygons(polygons)
    flat = FlatPolygons.of(polygons)
    middle = flat.points.mean(axis=0) if len(flat.points) else np.zeros(2)
    flat = flat.with_points((flat.points - middle) / unit)
    told = regularize_flat(
        flat, regularity or Regularity(), share_directions=share_directions / unit, threads=threads
    )
    return told.outlines.with_points(told.outlines.points * unit + middle).nest(polygons.crs), told


def check_polygons(polygons: Polygons) -> None:
    """Raise BadInput that names the first polygon that is not valid: it crosses itself or has no area."""
    import shapely

    for index, rings in enumerate(polygons.rings):
        shape = shapely.Polygon(rings[0], rings[1:])
        if not shape.is_valid or shape.area <= 0:
            why = "has no area" if shape.area <= 0 else shapely.is_valid_reason(shape)
            raise BadInput(f"polygon {index}", f"is not valid ({why})", hint="shapely.make_valid mends it")


def regularize_flat(
    flat: FlatPolygons,
    regularity: Regularity,
    *,
    flags: Bool[np.ndarray, " n"] | None = None,
    frame: Frame | None = None,
    share_directions: float = 0.0,
    threads: int = 1,
) -> Regularized:
    """Make flat polygons in pixels regular: outer rings of positive area, holes negative, all simple.

    `flags`: points on the picture's edge. Holes follow their polygon's directions. `threads` changes nothing
    in the answer.
    """
    frame = frame or Frame()
    flat = _oriented(flat)
    flat = flat.with_points(flat.points @ frame.matrix.T)
    on_edge = np.zeros(len(flat.points), np.uint8) if flags is None else flags.astype(np.uint8)
    given = np.full(len(flat), np.nan)
    told = _run(flat, on_edge, given, regularity, frame, threads)
    if share_directions > 0 and len(flat) > 1:
        given = _shared(flat, told, share_directions)
        again = np.flatnonzero(~np.isnan(given))
        if len(again):
            told = _run(flat, on_edge, given, regularity, frame, threads)
    back = np.linalg.inv(frame.matrix)
    outlines = told.outlines.with_points(told.outlines.points @ back.T)
    return Regularized(outlines, told.status, told.iou, told.angle_deg, told.roughness, told.directions)


def _oriented(flat: FlatPolygons) -> FlatPolygons:
    """Turn rings round that run the wrong way."""
    from okulo.algo.ring_kernels import area_of

    points = flat.points
    first = np.zeros(len(flat.rings) - 1, np.bool_)
    first[flat.polygons[:-1]] = True
    for r, outer in enumerate(first):
        a, b = flat.rings[r], flat.rings[r + 1]
        if (area_of(points[a:b]) > 0) != outer:
            if points is flat.points:
                points = points.copy()
            points[a:b] = points[a:b][::-1].copy()
    return flat if points is flat.points else flat.with_points(points)


def _run(
    flat: FlatPolygons,
    on_edge: UInt8[np.ndarray, " n"],
    given: Float64[np.ndarray, " p"],
    regularity: Regularity,
    frame: Frame,
    threads: int,
) -> Regularized:
    options, axes = regularity.options(), frame.axes()

    def some(first: int, last: int) -> tuple[np.ndarray, ...]:
        low, high = flat.polygons[first], flat.polygons[last]
        a, b = flat.rings[low], flat.rings[high]
        rings, polygons = flat.rings[low : high + 1] - a, flat.polygons[first : last + 1] - low
        made: tuple[np.ndarray, ...] = regular_all(
            flat.points[a:b], on_edge[a:b], rings, polygons, given[first:last], options, axes
        )
        return made

    if threads > 1 and len(flat) > 1:
        # equal shares of points, not of polygons
        at = np.searchsorted(flat.rings[flat.polygons], np.linspace(0, len(flat.points), 4 * threads + 1))
        cuts = np.unique(np.concatenate([[0], at.clip(0, len(flat)), [len(flat)]]))
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(some, cuts[:-1].tolist(), cuts[1:].tolist()))
    else:
        parts = [some(0, len(flat))]
    points = np.concatenate([part[0] for part in parts])
    starts = np.cumsum([0] + [len(part[0]) for part in parts])
    rings = np.concatenate([[0], *(part[1][1:] + start for part, start in zip(parts, starts))])
    counts = np.concatenate([np.diff(part[2]) for part in parts])
    told = np.concatenate([part[3] for part in parts])
    return Regularized(
        FlatPolygons(
            points, rings.astype(np.int64), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        ),
        told[:, 0].astype(np.uint8),
        told[:, 1],
        np.degrees(told[:, 2] % QUARTER),
        np.sqrt(told[:, 3]),
        told[:, 4].astype(np.uint8),
    )


ALIKE_DEG = 6.0
"""Neighbours' directions that differ by less are taken for one."""


def _shared(flat: FlatPolygons, told: Regularized, reach: float) -> Float64[np.ndarray, " p"]:
    """Directions that neighbours agree on: means weighed by outline length over roughness; nan: keep one's
    own."""
    from scipy.spatial import cKDTree

    ends = flat.rings[flat.polygons]
    middles = np.array([flat.ring(int(r)).mean(axis=0) for r in flat.polygons[:-1]])
    angle = np.radians(told.angle_deg)
    takes_part = (told.status == STATUS.index("regular")) & (told.directions == 1)
    weight = np.diff(ends) ** 3 / np.maximum(told.roughness, 0.05) ** 2 * takes_part
    given = np.full(len(flat), np.nan)
    near: list[list[int]] = cKDTree(middles).query_ball_point(middles, reach).tolist()
    for p, others in enumerate(near):
        index: Int64[np.ndarray, " k"] = np.array(others, np.int64)
        gap = (angle[index] - angle[p] + QUARTER / 2) % QUARTER - QUARTER / 2
        index, gap = index[np.abs(gap) < np.radians(ALIKE_DEG)], gap[np.abs(gap) < np.radians(ALIKE_DEG)]
        if takes_part[p] and len(index) > 1:
            given[p] = angle[p] + np.average(gap, weights=weight[index])
    return given
