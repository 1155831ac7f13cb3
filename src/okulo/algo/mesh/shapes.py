"""Clean meshes to learn from and to judge by: machine parts with sharp edges, and organic blobs."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int32
from scipy.spatial import Delaunay
from shapely import Polygon, contains_xy

from okulo.core.nouns import Mesh

Ring = Float64[np.ndarray, "_ 2"]


def sphere(subdivisions: int) -> Mesh:
    """Make a unit sphere of 20 · 4^subdivisions faces: an icosahedron divided again and again.

    >>> len(sphere(2)), float(np.linalg.norm(sphere(2).vertices, axis=1).max().round(9))
    (320, 1.0)
    """
    golden = (1 + 5**0.5) / 2
    signs = [(-1.0, golden), (1.0, golden), (-1.0, -golden), (1.0, -golden)]
    corners = (
        [(x, y, 0.0) for x, y in signs] + [(0.0, x, y) for x, y in signs] + [(y, 0.0, x) for x, y in signs]
    )
    vertices = np.array(corners)
    wound = "0 11 5 0 5 1 0 1 7 0 7 10 0 10 11 1 5 9 5 11 4 11 10 2 10 7 6 7 1 8"
    wound += " 3 9 4 3 4 2 3 2 6 3 6 8 3 8 9 4 9 5 2 4 11 6 2 10 8 6 7 9 8 1"
    faces = np.array(wound.split(), np.int32).reshape(20, 3)
    for _ in range(subdivisions):
        vertices, faces = _divide(vertices, faces)
        vertices = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    return Mesh(vertices / np.linalg.norm(vertices, axis=1, keepdims=True), faces)


def _divide(
    vertices: Float64[np.ndarray, "v 3"], faces: Int32[np.ndarray, "f 3"]
) -> tuple[Float64[np.ndarray, "w 3"], Int32[np.ndarray, "g 3"]]:
    """Cut every face in four at the middles of its sides."""
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, which = np.unique(sides, axis=0, return_inverse=True)
    middle = (which.reshape(3, -1) + len(vertices)).astype(np.int32)
    a, b, c = faces.T
    ab, bc, ca = middle
    cut = [[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]]
    return np.concatenate([vertices, vertices[unique].mean(axis=1)]), np.concatenate(
        [np.stack(each, axis=1) for each in cut]
    ).astype(np.int32)


def blob(rng: np.random.Generator, subdivisions: int = 5, detail: float = 0.0) -> Mesh:
    """Make an organic shape: a sphere bent by smooth waves; `detail` adds ever finer ones, as scans have.

    >>> len(blob(np.random.default_rng(0), subdivisions=3))
    1280
    """
    ball = sphere(subdivisions)
    points = ball.vertices + rng.normal(0, 0.15 * 1.1 / 2**subdivisions, ball.vertices.shape)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    for octave in range(6 if detail else 2):
        rough = 1.0 if octave < 2 else detail
        for _ in range(5):
            wave = rng.normal(size=3) * 1.5 * 1.6**octave
            push = rng.normal(size=3)
            push *= 0.12 * rough / (1.8**octave * np.linalg.norm(push))
            phase = rng.uniform(0, 2 * np.pi)
            points = points + np.sin(points @ wave + phase)[:, None] * push
    return Mesh(points, ball.faces)


def outline(corners: Sequence[tuple[float, float]], step: float) -> Ring:
    """Put points along a closed polygon, corners kept, about `step` apart.

    >>> len(outline([(0, 0), (1, 0), (1, 1), (0, 1)], 0.25))
    16
    """
    points = []
    for here, there in zip(np.array(corners, float), np.roll(np.array(corners, float), -1, axis=0)):
        count = max(1, round(float(np.linalg.norm(there - here)) / step))
        points.append(here + np.arange(count)[:, None] / count * (there - here))
    return np.concatenate(points)


def circle(centre: tuple[float, float], radius: float, step: float) -> Ring:
    """Put points along a circle, about `step` apart."""
    turn = np.arange(count := max(8, round(2 * np.pi * radius / step))) * 2 * np.pi / count
    return np.column_stack([np.cos(turn), np.sin(turn)]) * radius + centre


def fill(
    rings: Sequence[Ring], step: float, rng: np.random.Generator
) -> tuple[Float64[np.ndarray, "p 2"], Int32[np.ndarray, "f 3"]]:
    """Cover an outline with holes by triangles; the rings' points come first, in their order."""
    area = Polygon(rings[0], list(rings[1:]))
    low_x, low_y, high_x, high_y = area.bounds
    rows = np.arange(low_y, high_y, step * 3**0.5 / 2)
    grid = [
        np.column_stack(
            [
                np.arange(low_x + (k % 2) * step / 2, high_x, step),
            ]
        )
        for k in range(len(rows))
    ]
    inner = np.concatenate([np.column_stack([x, np.full(len(x), y)]) for x, y in zip(grid, rows)])
    inner = inner + rng.uniform(-0.25, 0.25, inner.shape) * step
    within = area.buffer(-0.6 * step)
    inner = inner[contains_xy(within, inner[:, 0], inner[:, 1])]
    points = np.concatenate([*rings, inner])
    faces = Delaunay(points).simplices
    middle = points[faces].mean(axis=1)
    faces = faces[contains_xy(area, middle[:, 0], middle[:, 1])]
    a, b, c = (points[faces[:, k]] for k in range(3))
    turned = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    faces = faces[np.abs(turned) > 1e-6 * step**2]
    turned = turned[np.abs(turned) > 1e-6 * step**2]
    faces[turned < 0] = faces[turned < 0][:, ::-1]
    return points, faces.astype(np.int32)


def prism(rings: Sequence[Ring], height: float, step: float, rng: np.random.Generator) -> Mesh:
    """Extrude an outline with holes: two flat caps and a wall along each ring, wound outwards."""
    points, cap = fill(rings, step, rng)
    flat = np.zeros((len(points), 1))
    parts = [
        (np.hstack([points, flat + height]), cap),
        (np.hstack([points, flat]), cap[:, ::-1]),
    ]
    for number, ring in enumerate(rings):
        parts.append(_wall(ring, height, step, outwards=(_signed_area(ring) > 0) == (number == 0), rng=rng))
    return weld(parts, step)


def _signed_area(ring: Ring) -> float:
    following = np.roll(ring, -1, axis=0)
    return float((ring[:, 0] * following[:, 1] - ring[:, 1] * following[:, 0]).sum() / 2)


def _wall(
    ring: Ring, height: float, step: float, outwards: bool, rng: np.random.Generator
) -> tuple[Float64[np.ndarray, "v 3"], Int32[np.ndarray, "f 3"]]:
    rows, around = max(1, round(height / step)), len(ring)
    levels = np.arange(rows + 1) * height / rows
    shift = np.zeros((rows + 1, around))
    shift[1:-1] = rng.uniform(-0.2, 0.2, (max(rows - 1, 0), around)) * height / rows
    points = np.concatenate([np.column_stack([ring, level + shift[k]]) for k, level in enumerate(levels)])
    k, i = np.divmod(np.arange(rows * around), around)
    here, right = k * around + i, k * around + (i + 1) % around
    above, across = here + around, right + around
    lean = rng.random(len(here)) < 0.5
    first = np.where(lean[:, None], np.stack([here, right, across], 1), np.stack([here, right, above], 1))
    second = np.where(lean[:, None], np.stack([here, across, above], 1), np.stack([right, across, above], 1))
    faces = np.concatenate([first, second]).astype(np.int32)
    return points, faces if outwards else faces[:, ::-1]


def revolve(profile: Ring, step: float, rng: np.random.Generator) -> Mesh:
    """Turn a closed profile (radius, height) about the axis: rings, grooves, cones, with its edges."""
    around = max(12, round(2 * np.pi * float(profile[:, 0].mean()) / step))
    turn = (np.arange(around)[:, None] + rng.uniform(-0.2, 0.2, (around, len(profile)))) * 2 * np.pi / around
    radius, height = profile[:, 0], np.broadcast_to(profile[:, 1], turn.shape)
    points = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=2).reshape(-1, 3)
    size = len(profile)
    k, i = np.divmod(np.arange(around * size), size)
    here, up = k * size + i, k * size + (i + 1) % size
    right, across = (k + 1) % around * size + i, (k + 1) % around * size + (i + 1) % size
    lean = rng.random(len(here)) < 0.5
    first = np.where(lean[:, None], np.stack([here, right, across], 1), np.stack([here, right, up], 1))
    second = np.where(lean[:, None], np.stack([here, across, up], 1), np.stack([right, across, up], 1))
    faces = np.concatenate([first, second]).astype(np.int32)
    return Mesh(points, faces if _signed_area(profile) > 0 else np.ascontiguousarray(faces[:, ::-1]))


def weld(parts: Sequence[tuple[Float64[np.ndarray, "_ 3"], Int32[np.ndarray, "_ 3"]]], step: float) -> Mesh:
    """Join pieces whose borders coincide: points closer than a ten-thousandth of `step` become one."""
    first = np.cumsum([0, *(len(points) for points, _ in parts)])
    points = np.concatenate([points for points, _ in parts])
    faces = np.concatenate([faces + start for (_, faces), start in zip(parts, first)])
    keys = np.round(points / (1e-4 * step)).astype(np.int64)
    _, chosen, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return Mesh(points[chosen], which.reshape(-1)[faces].astype(np.int32))


def _rounded(width: float, depth: float, radius: float, step: float) -> Ring:
    """An outline with one pair of round corners and one of sharp ones."""
    turn = np.linspace(0, np.pi / 2, max(4, round(radius * np.pi / 2 / step)))
    right = np.column_stack([width - radius + radius * np.cos(turn), depth - radius + radius * np.sin(turn)])
    left = np.column_stack([radius - radius * np.sin(turn), depth - radius + radius * np.cos(turn)])
    corners = [(0.0, 0.0), (width, 0.0), *map(tuple, right), *map(tuple, left)]
    return outline(corners, step)


def plate(rng: np.random.Generator, step: float) -> Mesh:
    """A plate with rounded corners and one or two round or square holes."""
    width, depth = rng.uniform(0.8, 1.4), rng.uniform(0.6, 1.0)
    rings = [_rounded(width, depth, rng.uniform(0.1, 0.3) * depth, step)]
    for share in (0.3, 0.7)[: rng.integers(1, 3)]:
        radius = rng.uniform(0.1, 0.16) * depth
        centre = (share * width, rng.uniform(0.35, 0.55) * depth)
        if rng.random() < 0.5:
            rings.append(circle(centre, radius, step))
        else:
            box = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * radius + centre
            rings.append(outline([(float(x), float(y)) for x, y in box], step))
    return prism(rings, float(rng.uniform(0.2, 0.6)), step, rng)


def star(rng: np.random.Generator, step: float) -> Mesh:
    """A gear or star: an outline that goes in and out, extruded, with a bore."""
    teeth = int(rng.integers(4, 9))
    deep = rng.uniform(0.6, 0.85)
    turn = np.arange(teeth * 4) * 2 * np.pi / (teeth * 4) + rng.uniform(0, 1)
    radius = 0.6 * np.where(np.arange(teeth * 4) % 4 < 2, 1.0, deep)
    corners = [(float(r * np.cos(t)), float(r * np.sin(t))) for r, t in zip(radius, turn)]
    rings = [outline(corners, step), circle((0.0, 0.0), float(rng.uniform(0.12, 0.25)), step)]
    return prism(rings, float(rng.uniform(0.2, 0.5)), step, rng)


def ring(rng: np.random.Generator, step: float) -> Mesh:
    """A turned part: flat, conical and round stretches of profile meet in sharp edges."""
    inner, high = rng.uniform(0.35, 0.5), rng.uniform(0.3, 0.7)
    outer = inner + rng.uniform(0.25, 0.4)
    turn = np.linspace(-np.pi / 2, np.pi / 2, 12)
    bulge = rng.uniform(0.12, 0.2)
    middle = high * rng.uniform(0.4, 0.6)
    round_part = np.column_stack([outer + bulge * np.cos(turn), middle + bulge * np.sin(turn)])
    corners = [
        (inner, 0.0),
        (outer, 0.0),
        *((float(x), float(y)) for x, y in round_part if bulge < middle < high - bulge),
        (outer, high),
        (outer - 0.12, high),
        (inner + 0.08, high * rng.uniform(0.6, 0.8)),
        (inner, high),
    ]
    return revolve(outline(corners, step), step, rng)


def wedge(rng: np.random.Generator, step: float) -> Mesh:
    """A block whose top is cut at a slant and bent: shallow and blunt edges, flat and curved sides."""
    corners = [
        (0.0, 0.0),
        (1.0, 0.0),
        (1.0, 0.5),
        (rng.uniform(0.4, 0.7), 0.75),
        (0.0, rng.uniform(0.4, 0.8)),
    ]
    block = prism([outline(corners, step)], 0.7, step, rng)
    x, y, z = block.vertices.T
    bend, slant = rng.uniform(-0.25, 0.25), rng.uniform(-0.3, 0.3)
    points = np.column_stack([x, y + bend * np.sin(np.pi * z / 0.7) * (x - 0.5), z * (1 + slant * x)])
    return Mesh(points, block.faces)


CAD = {"plate": plate, "star": star, "ring": ring, "wedge": wedge}
"""The kinds of machine parts, each made from a random generator and a length of sides."""


def part(rng: np.random.Generator, step: float = 0.03, kind: str = "") -> Mesh:
    """Make a machine part of a random (or the named) kind, turned any way.

    >>> len(part(np.random.default_rng(0), step=0.1)) > 200
    True
    """
    made = CAD[kind or str(rng.choice(sorted(CAD)))](rng, step)
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    axes *= np.sign(np.linalg.det(axes))
    return Mesh(made.vertices @ axes, made.faces)
