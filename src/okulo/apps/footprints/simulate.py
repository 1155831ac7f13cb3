"""Buildings whose outlines are known, and what a segmentation network would say of them.

A network's probability map is soft, rounds corners, wanders along walls in blobs some pixels long, frays, and
grows over or eats away corners (trees, shadows). All of this is laid over an exact, antialiased picture of
the truth; lengths are in pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from okulo.algo.ring_kernels import covered
from okulo.core.errors import BadInput
from okulo.core.nouns import Polygons

Ring = Float64[np.ndarray, "_ 2"]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How a network errs, in pixels: softness of edges, blobs along walls, fraying, corners lost or grown."""

    soft: float
    blob: float
    blob_length: float
    fray: float
    corner: float
    """Chance of each corner to be eaten away or grown over."""


NOISES = {
    "none": Noise(soft=0.4, blob=0.0, blob_length=1.0, fray=0.0, corner=0.0),
    "light": Noise(soft=0.8, blob=0.25, blob_length=2.0, fray=0.05, corner=0.0),
    "medium": Noise(soft=1.3, blob=0.85, blob_length=2.5, fray=0.15, corner=0.12),
    "heavy": Noise(soft=1.8, blob=1.8, blob_length=3.0, fray=0.25, corner=0.3),
}

RECTILINEAR = ("rectangle", "L", "T", "U", "Z")
KINDS = (*RECTILINEAR, "courtyard", "cut", "wings", "round")


@dataclass(frozen=True)
class Scene:
    """Buildings on a grid of square cells: what a network says, the truth, and of which kind each is."""

    probability: Float32[np.ndarray, "h w"]
    truth: Polygons
    kinds: tuple[str, ...]
    cell: int


def _part(rng: np.random.Generator, length: float) -> float:
    """A length that a side can be divided by: no piece shorter than 8 px or a fifth."""
    low = max(8.0 / length, 0.2)
    return float(rng.uniform(min(low, 0.4), max(1 - low, 0.6))) * length


def _rectangle(w: float, h: float) -> Ring:
    return np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float64)


def _l(rng: np.random.Generator, w: float, h: float) -> Ring:
    a, b = _part(rng, w), _part(rng, h)
    return np.array([[0, 0], [w, 0], [w, b], [a, b], [a, h], [0, h]], np.float64)


def _t(rng: np.random.Generator, w: float, h: float) -> Ring:
    a, b = w * rng.uniform(0.2, 0.35), w * rng.uniform(0.65, 0.8)
    c = _part(rng, h)
    return np.array([[0, 0], [w, 0], [w, c], [b, c], [b, h], [a, h], [a, c], [0, c]], np.float64)


def _u(rng: np.random.Generator, w: float, h: float) -> Ring:
    a, b = w * rng.uniform(0.25, 0.35), w * rng.uniform(0.65, 0.75)
    c = _part(rng, h)
    return np.array([[0, 0], [w, 0], [w, h], [b, h], [b, c], [a, c], [a, h], [0, h]], np.float64)


def _z(rng: np.random.Generator, w: float, h: float) -> Ring:
    a, b = w * rng.uniform(0.25, 0.4), w * rng.uniform(0.6, 0.75)
    c, d = h * rng.uniform(0.25, 0.4), h * rng.uniform(0.6, 0.75)
    return np.array([[0, 0], [b, 0], [b, c], [w, c], [w, h], [a, h], [a, d], [0, d]], np.float64)


def _cut(rng: np.random.Generator, w: float, h: float) -> Ring:
    c = min(w, h) * rng.uniform(0.3, 0.5)
    return np.array([[0, 0], [w - c, 0], [w, c], [w, h], [0, h]], np.float64)


def _wings(rng: np.random.Generator, w: float, h: float) -> Ring:
    """Two wings that meet at 20° to 35° off the right angle's multiples."""
    turn, width = np.deg2rad(rng.uniform(20, 35)), 0.55 * h
    d = np.array([np.cos(turn), np.sin(turn)])
    n = np.array([-d[1], d[0]])
    corner = np.array([w * 0.6, 0.0])
    tip = corner + d * w * 0.7
    inner = corner + n * width
    back = inner - d * (inner[1] - width) / d[1] if d[1] else inner
    return np.array([[0, 0], corner, tip, tip + n * width, back, [0, width]], np.float64)


def _round(w: float, sides: int = 72) -> Ring:
    angle = np.arange(sides) * (2 * np.pi / sides)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * (w / 2)


SHAPES: dict[str, Callable[[np.random.Generator, float, float], Ring]] = {
    "rectangle": lambda rng, w, h: _rectangle(w, h),
    "L": _l,
    "T": _t,
    "U": _u,
    "Z": _z,
    "courtyard": lambda rng, w, h: _rectangle(w, h),
    "cut": _cut,
    "wings": _wings,
    "round": lambda rng, w, h: _round(min(w, h)),
}


def make_building(kind: str, rng: np.random.Generator, *, turn: float | None = None) -> tuple[Ring, ...]:
    """Make one building around the origin: its outer ring and, of a courtyard house, the hole; at most 76 px.

    >>> [ring.shape for ring in make_building("courtyard", np.random.default_rng(0))]
    [(4, 2), (4, 2)]
    """
    if kind not in SHAPES:
        raise BadInput("kind", wanted=f"one of {', '.join(SHAPES)}", got=repr(kind))
    w, h = rng.uniform(32, 60), rng.uniform(24, 44)
    rings = [SHAPES[kind](rng, w, h)]
    if kind == "courtyard":
        a, b = w * rng.uniform(0.25, 0.35), h * rng.uniform(0.28, 0.36)
        rings.append(_rectangle(w - 2 * a, h - 2 * b)[::-1] + np.array([a, b]))
    angle = rng.uniform(0, np.pi / 2) if turn is None else turn
    c, s = np.cos(angle), np.sin(angle)
    centre = (rings[0].min(axis=0) + rings[0].max(axis=0)) / 2
    shift = rng.uniform(-0.5, 0.5, 2)
    return tuple((ring - centre) @ np.array([[c, s], [-s, c]]) + shift for ring in rings)


def draw(rings: Sequence[Ring], size: tuple[int, int], *, fine: int = 8) -> Float32[np.ndarray, "h w"]:
    """Draw the share of each pixel inside the rings (even-odd): exact along x, on `fine` lines a pixel in y.

    >>> draw([np.array([[0.0, 0], [1.5, 0], [1.5, 1], [0, 1]])], (2, 2)).tolist()
    [[1.0, 0.5], [0.0, 0.0]]
    """
    offsets = np.cumsum([0] + [len(ring) for ring in rings])
    shares: np.ndarray = covered(np.concatenate(list(rings)), offsets, *size, fine)
    return shares


def _smooth(field: np.ndarray, length: float) -> np.ndarray:
    """Blur white noise to blobs of this length, with a standard deviation of 1."""
    import cv2

    blurred: np.ndarray = cv2.GaussianBlur(field, (0, 0), max(0.3, length))
    scaled: np.ndarray = blurred / max(float(blurred.std()), 1e-9)
    return scaled


def disturb(
    cover: Float32[np.ndarray, "h w"],
    corners: Float64[np.ndarray, "c 2"],
    noise: Noise,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "h w"]:
    """Make of an exact picture the probabilities that a network of this noise would say."""
    import cv2

    h, w = cover.shape
    seen = cover.copy()
    grid_y, grid_x = np.mgrid[0:h, 0:w].astype(np.float32)
    for x, y in corners[rng.random(len(corners)) < noise.corner]:
        far = (grid_x + 0.5 - x) ** 2 + (grid_y + 0.5 - y) ** 2
        bump = np.exp(-far / (2 * rng.uniform(1.2, 2.2) ** 2)) * rng.choice([-1, 1])
        seen = np.clip(seen + bump.astype(np.float32), 0, 1)
    seen = cv2.GaussianBlur(seen, (0, 0), noise.soft)
    if noise.blob:
        shift = [_smooth(rng.standard_normal((h, w)).astype(np.float32), noise.blob_length) for _ in range(2)]
        seen = cv2.remap(
            seen,
            grid_x + np.float32(noise.blob) * shift[0],
            grid_y + np.float32(noise.blob) * shift[1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    if noise.fray:
        fray = _smooth(rng.standard_normal((h, w)).astype(np.float32), 0.5)
        seen = seen + np.float32(noise.fray) * fray * (4 * seen * (1 - seen))
    return np.clip(seen, 0, 1).astype(np.float32)


def simulate(
    count: int,
    *,
    noise: str = "medium",
    kinds: Sequence[str] = RECTILINEAR,
    cell: int = 104,
    rng: np.random.Generator,
) -> Scene:
    """Make a picture of `count` buildings of these kinds, one a cell, and what a network says of it.

    >>> scene = simulate(4, noise="light", rng=np.random.default_rng(0))
    >>> scene.probability.shape, len(scene.truth)
    ((208, 208), 4)
    """
    if noise not in NOISES:
        raise BadInput("noise", wanted=f"one of {', '.join(NOISES)}", got=repr(noise))
    side = int(np.ceil(np.sqrt(count)))
    rows = -(-count // side)
    probability = np.zeros((rows * cell, side * cell), np.float32)
    truth, drawn = [], []
    for index in range(count):
        kind = kinds[int(rng.integers(len(kinds)))]
        rings = [ring + cell / 2 for ring in make_building(kind, rng)]
        seen = disturb(draw(rings, (cell, cell)), np.concatenate(rings), NOISES[noise], rng)
        row, column = divmod(index, side)
        probability[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = seen
        truth.append(tuple(ring + np.array([column, row]) * float(cell) for ring in rings))
        drawn.append(kind)
    return Scene(probability, Polygons(tuple(truth)), tuple(drawn), cell)
