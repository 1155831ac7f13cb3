"""How far one picture would have been moved, turned and stretched if it were made from the other."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float64

from okulo.curate.duplicates.sketch import Sketch

MOST_TILT_DEG, MOST_SQUASH, MOST_ZOOM = 20.0, 0.45, 1.5
"""Beyond these no copy is looked for: squash and zoom as `Geometry` has them."""


@dataclass(frozen=True)
class Geometry:
    """What an alignment says of the whole pictures, with their margins."""

    frame: float
    """Intersection over union of the two frames."""
    zoom: float
    """Relative size of what is seen, as a share of the frames: absolute natural logarithm."""
    squash: float
    """How much longer one direction got than the other: natural logarithm."""
    tilt: float
    """Turn from the nearest quarter turn, degrees."""

    @property
    def plausible(self) -> bool:
        """Whether a copy is made like this; else another part of another picture was hit."""
        return self.tilt <= MOST_TILT_DEG and self.squash <= MOST_SQUASH and self.zoom <= MOST_ZOOM


NOWHERE = Geometry(0.0, 3.0, 3.0, 45.0)


def geometry(a: Sketch, b: Sketch, matrix: Float64[np.ndarray, "2 3"]) -> Geometry:
    """Read an alignment of the focused copies as one of the whole pictures.

    >>> from okulo.curate.duplicates.sketch import sketch
    >>> seen = sketch(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    >>> said = geometry(seen, seen, np.array([[0.5, 0, 0], [0, 0.5, 0]]))  # half as large, in the upper left
    >>> round(said.frame, 2), round(said.zoom, 2), round(said.squash, 2), said.tilt
    (0.25, 0.69, 0.0, 0.0)
    """
    whole = whole_matrix(a, b, matrix)
    area_a, area_b = (float(each.size[0] * each.size[1]) for each in (a, b))
    linear = whole[:, :2] * np.sqrt(area_a / area_b)
    if np.linalg.det(linear) < 0:
        linear = linear * np.array([-1.0, 1.0])
    long, short = np.linalg.svd(linear, compute_uv=False)
    turn = np.degrees(np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))
    return Geometry(
        _overlap(a, b, whole, area_a, area_b),
        float(min(3.0, abs(np.log(max(long * short, 1e-6)) / 2))),
        float(min(3.0, np.log(max(long, 1e-6) / max(short, 1e-6)))),
        float(abs((turn + 45) % 90 - 45)),
    )


def whole_matrix(a: Sketch, b: Sketch, matrix: Float64[np.ndarray, "2 3"]) -> Float64[np.ndarray, "2 3"]:
    """Turn an alignment of the focused copies into one of the whole pictures, in their own pixels."""
    back = np.linalg.inv(_focus_to_whole(a))
    whole: np.ndarray = _focus_to_whole(b) @ np.vstack([matrix, [0, 0, 1]]) @ back
    return whole[:2]


def focus_matrix(a: Sketch, b: Sketch, whole: Float64[np.ndarray, "2 3"]) -> Float64[np.ndarray, "2 3"]:
    """Turn an alignment of the whole pictures into one of the focused copies: undoes `whole_matrix`."""
    focus: np.ndarray = np.linalg.inv(_focus_to_whole(b)) @ np.vstack([whole, [0, 0, 1]]) @ _focus_to_whole(a)
    return focus[:2]


def _focus_to_whole(seen: Sketch) -> Float64[np.ndarray, "3 3"]:
    left, top, right, bottom = seen.box
    across = (right - left) / seen.focus.small.shape[1]
    down = (bottom - top) / seen.focus.small.shape[0]
    return np.array([[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5], [0, 0, 1]])


def _overlap(a: Sketch, b: Sketch, whole: Float64[np.ndarray, "2 3"], area_a: float, area_b: float) -> float:
    width, height = a.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - 0.5
    laid = (corners @ whole[:, :2].T + whole[:, 2]).astype(np.float32)
    width, height = b.size
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - np.float32(0.5)
    shared = float(cv2.intersectConvexConvex(laid, frame)[0])
    grown = abs(float(np.linalg.det(whole[:, :2])))
    return shared / max(area_a * grown + area_b - shared, 1e-6)
