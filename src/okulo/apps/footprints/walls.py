"""Buildings wall to wall: blocks made regular as one, inner walls straight and shared; and no new
overlaps."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import shapely
from jaxtyping import Float64, Int64

from okulo.algo.graphs import connected_components
from okulo.algo.ring_kernels import area_of
from okulo.algo.rings import FlatPolygons, join_polygons
from okulo.apps.footprints.fit_kernels import cross_open, make_labels, side_lines, unit_normals
from okulo.apps.footprints.regularize import STATUS, Regularity, Regularized, regularize_flat
from okulo.apps.footprints.segment_kernels import cut, running_sums

Rings = tuple[Float64[np.ndarray, "_ 2"], ...]
SHARED = 2.0
"""Outlines that run together for so many pixels are of neighbours wall to wall."""
REACH = 5.0
"""An inner wall is drawn out by so many pixels, to meet the outer one."""
KEPT, REGULAR = STATUS.index("kept"), STATUS.index("regular")
SNAP = 2.5
"""An inner wall so near the line of an outer one, in pixels, is its continuation."""
WALLS = np.array([[0.0, 1.0], [1.0, 0.0]])


def to_shapes(flat: FlatPolygons) -> np.ndarray:
    """Make shapely polygons, an array of objects."""
    rings = shapely.linearrings(
        np.concatenate([flat.points, flat.points[:0]]),
        indices=np.repeat(np.arange(len(flat.rings) - 1), np.diff(flat.rings)),
    )
    shapes: np.ndarray = shapely.polygons(
        rings, indices=np.repeat(np.arange(len(flat)), np.diff(flat.polygons))
    )
    return shapes


def from_shape(shape: shapely.Polygon) -> Rings:
    """Make rings of a shapely polygon: the outer one of positive area, holes negative."""
    rings = []
    for index, line in enumerate((shape.exterior, *shape.interiors)):
        ring = shapely.get_coordinates(line)[:-1]
        rings.append(np.ascontiguousarray(ring if (area_of(ring) > 0) == (index == 0) else ring[::-1]))
    return tuple(rings)


def near_pairs(flat: FlatPolygons) -> Int64[np.ndarray, "k 2"]:
    """Pairs of polygons (first < second) whose boxes touch."""
    if len(flat) < 2:
        return np.empty((0, 2), np.int64)
    first = flat.rings[flat.polygons[:-1]]
    low, high = np.minimum.reduceat(flat.points, first), np.maximum.reduceat(flat.points, first)
    boxes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    pairs: np.ndarray = shapely.STRtree(boxes).query(boxes).T
    return pairs[pairs[:, 0] < pairs[:, 1]].astype(np.int64)


def find_blocks(flat: FlatPolygons) -> list[list[int]]:
    """Group polygons that share walls: each group of two or more."""
    pairs = near_pairs(flat)
    if not len(pairs):
        return []
    used = np.unique(pairs)
    shapes = dict(zip(used.tolist(), to_shapes(flat.take(used))))
    joined = [
        pair
        for pair in pairs.tolist()
        if shapes[pair[0]].boundary.intersection(shapes[pair[1]].boundary).length >= SHARED
    ]
    if not joined:
        return []
    group = connected_components(len(flat), np.array(joined))
    touched = np.unique(np.array(joined))
    return [touched[group[touched] == each].tolist() for each in np.unique(group[touched])]


def share_walls(flat: FlatPolygons, told: Regularized, regularity: Regularity) -> Regularized:
    """Do blocks again as wholes: `flat` is the input in the same units as `told`."""
    made = {}
    for block in find_blocks(flat):
        shapes = to_shapes(flat.take(np.array(block)))
        parts = regular_block(shapes, regularity)
        for index, shape, part in zip(block, shapes, parts or shapes):
            iou = 1.0 if parts is None else shape.intersection(part).area / shape.union(part).area
            made[index] = (from_shape(part), KEPT if parts is None else REGULAR, iou)
    return with_others(told, made) if made else told


def with_others(told: Regularized, made: dict[int, tuple[Rings, int, float]]) -> Regularized:
    """Replace some outlines: index → rings, status, IoU."""
    polygons = [made[i][0] if i in made else told.outlines.polygon(i) for i in range(len(told))]
    status, iou = told.status.copy(), told.iou.copy()
    for index, (_, name, share) in made.items():
        status[index], iou[index] = name, share
    return replace(told, outlines=join_polygons(polygons), status=status, iou=iou)


def regular_block(shapes: np.ndarray, regularity: Regularity) -> list[shapely.Polygon] | None:
    """Make a block of touching polygons regular: outline, then inner walls; None if that cannot be held."""
    whole = shapely.union_all(shapes).buffer(0.5, join_style="mitre").buffer(-0.5, join_style="mitre")
    if whole.geom_type != "Polygon":
        return None
    told = regularize_flat(join_polygons([from_shape(whole)]), regularity)
    outline = shapely.Polygon(
        told.outlines.ring(0), [told.outlines.ring(r) for r in range(1, len(told.outlines.rings) - 1)]
    )
    lines = [outline.boundary]
    angle = np.radians(told.angle_deg[0])
    for a in range(len(shapes)):
        for b in range(a + 1, len(shapes)):
            lines += [snapped(wall, outline) for wall in inner_walls(shapes[a], shapes[b], angle, regularity)]
    parts = divide(shapes, outline, lines)
    for shape, part in zip(shapes, parts):
        if part.geom_type != "Polygon" or part.is_empty:
            return None
        if shape.intersection(part).area < regularity.iou_floor * shape.union(part).area:
            return None
    return parts


def divide(
    shapes: np.ndarray, outline: shapely.Polygon, lines: list[shapely.Geometry]
) -> list[shapely.Geometry]:
    """Give each piece into which the lines divide the outline to the shape it overlaps most; splinters move
    on."""
    faces = shapely.get_parts(shapely.polygonize([shapely.union_all(lines)]))
    faces = faces[shapely.contains(outline, shapely.point_on_surface(faces))]
    owner = np.array(
        [int(shapely.area(shapely.intersection(shapes, face)).argmax()) for face in faces], np.int64
    )
    for index in range(len(shapes)):
        mine = np.flatnonzero(owner == index)
        largest = shapely.get_parts(shapely.union_all(faces[mine])) if len(mine) else mine
        if len(largest) < 2:
            continue
        body = max(largest, key=lambda part: part.area)
        for face in mine[~shapely.within(shapely.point_on_surface(faces[mine]), body)]:
            others = np.flatnonzero(owner != index)
            along = shapely.length(shapely.intersection(faces[others], faces[face]))
            if len(others) and along.max() > 0:
                owner[face] = owner[others[along.argmax()]]
    return [shapely.union_all(faces[owner == index]) for index in range(len(shapes))]


def snapped(wall: shapely.LineString, outline: shapely.Polygon) -> shapely.LineString:
    """Move an inner wall onto an outer one that it goes on in: nearly on one line, and end to end."""
    ends = shapely.get_coordinates(wall)
    for ring in (outline.exterior, *outline.interiors):
        corners = shapely.get_coordinates(ring)
        for a, b in pairwise(corners):
            way = (b - a) / max(float(np.hypot(*(b - a))), 1e-12)
            normal = np.array([-way[1], way[0]])
            for end, inner in ((ends[0], ends[1]), (ends[-1], ends[-2])):
                along = (end - inner) / max(float(np.hypot(*(end - inner))), 1e-12)
                off = float((a - end) @ normal)
                near = min(float(np.hypot(*(a - end))), float(np.hypot(*(b - end))))
                if abs(along @ normal) < 0.03 and abs(off) <= SNAP and near <= 2 * REACH:
                    return shapely.LineString(ends + off * normal)
    return wall


def inner_walls(
    one: shapely.Polygon, other: shapely.Polygon, angle: float, regularity: Regularity
) -> list[shapely.LineString]:
    """Straighten the walls that two polygons share, along a direction (radians), and draw them out."""
    shared = one.boundary.intersection(other.boundary)
    if shared.is_empty or shared.length < SHARED:
        return []
    runs = [each for each in shapely.get_parts(shared) if each.geom_type == "LineString"]
    merged = shapely.line_merge(shapely.multilinestrings(runs))
    walls = []
    for line in shapely.get_parts(merged):
        if line.length < SHARED:
            continue
        count = max(3, round(line.length) + 1)
        points = shapely.get_coordinates(
            shapely.line_interpolate_point(line, np.linspace(0, 1, count), normalized=True)
        )
        middle = points.mean(axis=0)
        thetas = np.array([angle, 0.0])
        sums = running_sums(points - middle, np.zeros(count, np.uint8), 0.0)
        price = regularity.side_price * regularity.strength**2
        factors = np.array([regularity.diagonal, regularity.second, regularity.free])
        normals, prices, names = make_labels(1, thetas, price, factors, False, WALLS)
        starts, labels, _ = cut(sums, normals, prices, len(names) - 1)
        lines = side_lines(sums, starts, names[labels], unit_normals(1, thetas, WALLS), 0)
        walls.append(shapely.LineString(cross_open(points - middle, starts, lines, REACH) + middle))
    return walls


def part_overlaps(
    flat: FlatPolygons, told: Regularized, regularity: Regularity, *, most: float = 0.01
) -> Regularized:
    """Where two outlines overlap that did not before (by more than `most` px²), take one, or both, back.

    First it is made less boldly regular, then kept as it was.
    """
    milder = replace(regularity, strength=max(0.05, regularity.strength / 2))
    for _ in range(4):
        pairs = near_pairs(told.outlines)
        if not len(pairs):
            return told
        used = np.unique(pairs)
        place = {index: k for k, index in enumerate(used.tolist())}
        now, was = to_shapes(told.outlines.take(used)), to_shapes(flat.take(used))
        made: dict[int, tuple[Rings, int, float]] = {}
        for a, b in pairs.tolist():
            i, j = place[a], place[b]
            more = now[i].intersection(now[j]).area - was[i].intersection(was[j]).area
            if more <= most:
                continue
            changed = [k for k in (a, b) if told.status[k] != KEPT]
            for k in sorted(changed, key=lambda k: told.iou[k])[:1]:
                other = now[j] if k == a else now[i]
                again = regularize_flat(flat.take(np.array([k])), milder)
                fits = to_shapes(again.outlines)[0].intersection(other).area <= most
                made[k] = (
                    (again.outlines.polygon(0), int(again.status[0]), float(again.iou[0]))
                    if fits
                    else (flat.polygon(k), KEPT, 1.0)
                )
        if not made:
            return told
        told = with_others(told, made)
    return told
