"""Planes seen in perspective: which point of the ground a pixel shows."""

import cv2
import numpy as np
from jaxtyping import Float64

from okulo.core.errors import BadInput

FLAT = 1e-3
"""A quadrilateral whose smallest corner triangle holds less than this share of its whole is a line."""


def check_quadrilateral(what: str, corners: Float64[np.ndarray, "4 2"]) -> None:
    """Raise BadInput unless four corners, given around, span a convex quadrilateral.

    >>> check_quadrilateral("corners", np.array([[0.0, 0], [1, 1], [1, 0], [0, 1]]))
    Traceback (most recent call last):
    okulo.core.errors.BadInput: corners: the sides cross; give the corners in order, around the rectangle
    >>> check_quadrilateral("corners", np.array([[0.0, 0], [1, 1], [2, 2], [0, 1]]))
    Traceback (most recent call last):
    okulo.core.errors.BadInput: corners: three of the four lie on one line (1, 2 and 3)
    """
    if not np.isfinite(corners).all():
        raise BadInput(what, wanted="finite numbers", got=corners.tolist())
    turn = np.array(
        [_cross(corners[(i + 1) % 4] - corners[i], corners[(i + 2) % 4] - corners[i]) for i in range(4)]
    )
    spread = float(np.ptp(corners, axis=0).prod())
    if spread == 0 and not np.ptp(corners, axis=0).any():
        raise BadInput(what, "all four are the same point")
    flat = np.flatnonzero(
        np.abs(turn) <= FLAT * max(spread, FLAT * float(np.ptp(corners, axis=0).max()) ** 2)
    )
    if len(flat):
        a, b, c = sorted((int(flat[0]) + k) % 4 + 1 for k in range(3))
        raise BadInput(what, f"three of the four lie on one line ({a}, {b} and {c})")
    if (turn > 0).sum() == 2:
        raise BadInput(what, "the sides cross", hint="give the corners in order, around the rectangle")
    if abs((turn > 0).sum() - (turn < 0).sum()) != 4:
        raise BadInput(
            what, "they are not the corners of a rectangle seen from above its plane (one lies inside)"
        )


def _cross(a: np.ndarray, b: np.ndarray) -> float:
    return float(a[0] * b[1] - a[1] * b[0])


def fit_homography(
    source: Float64[np.ndarray, "n 2"], target: Float64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, "3 3"]:
    """Find the projective map of four points or more, by least squares in the target where there are more.

    >>> square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    >>> H = fit_homography(square, 2 * square)
    >>> project(H, np.array([[0.5, 0.25]])).round(6)
    array([[1. , 0.5]])
    """
    if len(source) < 4 or len(source) != len(target):
        raise BadInput("points", wanted="at least 4 pairs", got=f"{len(source)} and {len(target)}")
    found: np.ndarray | None = cv2.findHomography(source, target, 0)[0]
    if found is None or not np.isfinite(found).all() or abs(np.linalg.det(found)) < 1e-300:
        raise BadInput("points", "no perspective maps them so", hint="do three of them lie on one line?")
    return np.asarray(found, np.float64)


def project(H: Float64[np.ndarray, "3 3"], points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    """Map points; one on the horizon becomes infinite, beyond it they come out wrong (see `depth`)."""
    made = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ H.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(made[:, :2] / made[:, 2:])


def depth(H: Float64[np.ndarray, "3 3"], points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, " n"]:
    """The map's denominator: it changes its sign at the horizon."""
    return np.asarray(points @ H[2, :2] + H[2, 2])


def jacobian(
    H: Float64[np.ndarray, "3 3"], points: Float64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, "n 2 2"]:
    """How far a mapped point moves (rows) when the point moves by one (columns).

    >>> jacobian(np.diag([2.0, 3.0, 1.0]), np.array([[5.0, 7.0]])).tolist()
    [[[2.0, 0.0], [0.0, 3.0]]]
    """
    w = depth(H, points)[:, None, None]
    return np.asarray((H[None, :2, :2] - project(H, points)[:, :, None] * H[None, None, 2, :2]) / w)
