"""How good polygons are beside their truth, and how regular they are in themselves.

A polygon here is a sequence of rings `(m, 2)`, the outer one first, not closed, as in `core.nouns.Polygons`.
No measure alone says that an outline is good: raw pixel stairs have nothing but right angles, and a box
around an L has few corners.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from jaxtyping import Float64

Ring = Float64[np.ndarray, "_ 2"]
Rings = Sequence[Ring]


def to_shapely(rings: Rings) -> shapely.Polygon:
    """Make a shapely polygon; one that crosses itself is mended (`make_valid`)."""
    polygon = shapely.Polygon(rings[0], rings[1:])
    return polygon if polygon.is_valid else shapely.make_valid(polygon)


def iou(truth: Rings, guess: Rings) -> float:
    """Intersection over union of two areas; 0 where both are empty.

    >>> a = [np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])]
    >>> round(iou(a, [a[0] + 1.0]), 3)
    0.143
    """
    a, b = to_shapely(truth), to_shapely(guess)
    both = a.intersection(b).area
    union = a.area + b.area - both
    return float(both / union) if union > 0 else 0.0


def complexity_iou(truth: Rings, guess: Rings) -> float:
    """C-IoU (Zorzi et al. 2022, "PolyWorld", arXiv 2111.15491, eq. 9): IoU · (1 - |Nt - Ng| / (Nt + Ng)).

    >>> square = [np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])]
    >>> fine = [np.array([[0.0, 0], [1, 0], [2, 0], [2, 1], [2, 2], [1, 2], [0, 2], [0, 1]])]
    >>> round(complexity_iou(square, fine), 3)
    0.667
    """
    t, g = vertex_count(truth), vertex_count(guess)
    return iou(truth, guess) * (1 - abs(t - g) / (t + g))


def vertex_count(rings: Rings) -> int:
    """Number of corners, of all rings."""
    return sum(len(ring) for ring in rings)


def hausdorff(truth: Rings, guess: Rings) -> float:
    """Hausdorff distance of the two outlines, sampled at a quarter of each side: in the units given.

    >>> square = [np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])]
    >>> hausdorff(square, [square[0] + [0.5, 0.0]])
    0.5
    """
    a, b = _outline(truth), _outline(guess)
    return float(shapely.hausdorff_distance(a, b, densify=0.25))


def polis(truth: Rings, guess: Rings) -> float:
    """PoLiS (Avbelj et al. 2015, IEEE GRSL 12(1)): mean distance of corners to the other outline, both ways.

    >>> square = [np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])]
    >>> polis(square, [square[0] + [0.5, 0.0]])
    0.25
    """
    a, b = _outline(truth), _outline(guess)
    there = shapely.distance(shapely.points(np.concatenate(list(truth))), b).mean()
    back = shapely.distance(shapely.points(np.concatenate(list(guess))), a).mean()
    return float((there + back) / 2)


def max_tangent_angle_error(truth: Rings, guess: Rings, *, spacing: float = 2.0) -> float:
    """Largest angle between the guess's outline and the truth's nearby, degrees, 0 to 90; low is good.

    Girard et al. 2021 ("Polygonal building extraction by frame field learning", arXiv 2004.14875, section
    4.2): each side of the guess is cut into equal pieces of at most `spacing`, the pieces' ends are projected
    to the truth, and the directions of pieces and projections compared; those that the projection stretches
    or shrinks more than two times do not count.

    >>> square = [np.array([[0.0, 0], [20, 0], [20, 20], [0, 20]])]
    >>> max_tangent_angle_error(square, square)
    0.0
    """
    outline = _outline(truth)
    worst = 0.0
    for ring in guess:
        samples = shapely.points(
            shapely.get_coordinates(shapely.segmentize(shapely.linearrings(ring), spacing))
        )
        nearest = shapely.get_coordinates(shapely.shortest_line(samples, outline)).reshape(-1, 2, 2)
        edges, projected = (np.diff(xy, axis=0) for xy in (nearest[:, 0], nearest[:, 1]))
        lengths, others = np.linalg.norm(edges, axis=1), np.linalg.norm(projected, axis=1)
        fair = (lengths < 2 * others) & (others < 2 * lengths)
        if fair.any():
            cosine = np.abs((edges[fair] * projected[fair]).sum(axis=1)) / (lengths[fair] * others[fair])
            worst = max(worst, float(np.degrees(np.arccos(np.clip(cosine.min(), 0, 1)))))
    return worst if worst > 1e-5 else 0.0


def max_side_angle_error(truth: Rings, guess: Rings) -> float:
    """Largest angle between a side of the guess and the truth's side nearest to its middle, degrees, 0 to 90.

    The measure above also counts what happens around corners, where a guess that is off by half a pixel
    already shows 20°; this one looks at sides alone.

    >>> square = [np.array([[0.0, 0], [20, 0], [20, 20], [0, 20]])]
    >>> leaning = [np.array([[0.0, 0], [20, 0], [20, 20], [0, 19]])]
    >>> round(max_side_angle_error(square, leaning), 2)
    2.86
    """
    ends = np.concatenate([np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in truth])
    sides = shapely.linestrings(ends)
    ways = ends[:, 1] - ends[:, 0]
    worst = 0.0
    for ring in guess:
        way = np.roll(ring, -1, axis=0) - ring
        middles = shapely.points(ring + way / 2)
        near = ways[shapely.distance(sides[:, None], middles[None, :]).argmin(axis=0)]
        lengths = np.hypot(way[:, 0], way[:, 1]) * np.hypot(near[:, 0], near[:, 1])
        cosine = np.abs((near * way).sum(axis=1)) / np.maximum(lengths, 1e-12)
        worst = max(worst, float(np.degrees(np.arccos(np.clip(cosine[lengths > 0], 0, 1)).max(initial=0.0))))
    return worst


def right_angle_share(rings: Rings, *, within_deg: float = 1.0) -> float:
    """Share of the corners that are within so many degrees of a right angle.

    >>> right_angle_share([np.array([[0.0, 0], [2, 0], [2, 2], [1, 3], [0, 2]])])
    0.6
    """
    right, total = 0, 0
    for ring in rings:
        sides = np.roll(ring, -1, axis=0) - ring
        angle = np.arctan2(sides[:, 1], sides[:, 0])
        turn = np.degrees(np.abs(np.angle(np.exp(1j * (angle - np.roll(angle, 1))))))
        right += int((np.abs(turn - 90) <= within_deg).sum())
        total += len(ring)
    return right / total


def parallel_share(rings: Rings, *, within_deg: float = 1.0) -> float:
    """Share of the outline, by length, that has another side parallel to it within so many degrees.

    >>> round(parallel_share([np.array([[0.0, 0], [2, 0], [2, 2], [1, 3], [0, 2]])]), 3)
    0.453
    """
    sides = np.concatenate([np.roll(ring, -1, axis=0) - ring for ring in rings])
    length = np.hypot(sides[:, 0], sides[:, 1])
    angle = np.degrees(np.arctan2(sides[:, 1], sides[:, 0]))
    gap = np.abs((angle[:, None] - angle[None, :] + 90) % 180 - 90)
    np.fill_diagonal(gap, np.inf)
    return float(length[gap.min(axis=1) <= within_deg].sum() / length.sum())


def _outline(rings: Rings) -> shapely.MultiLineString:
    return shapely.multilinestrings([shapely.linearrings(ring) for ring in rings])
