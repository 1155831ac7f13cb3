"""Distance of points to triangles, compiled."""

import numba
import numpy as np

from okulo.algo.mesh.compiled import compiled


@numba.njit
def _clamp(value):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    return min(max(value, 0.0), 1.0)


@compiled
def _to_segment(p, a, b):  # type: ignore[no-untyped-def]
    along = 0.0
    length = 0.0
    for d in range(3):
        along += (p[d] - a[d]) * (b[d] - a[d])
        length += (b[d] - a[d]) ** 2
    at = _clamp(along / length) if length > 0 else 0.0
    far = 0.0
    for d in range(3):
        far += (a[d] + at * (b[d] - a[d]) - p[d]) ** 2
    return far


@compiled
def to_triangle(p, a, b, c):  # type: ignore[no-untyped-def]
    """Squared distance of a point to a triangle: to its plane if the foot lies inside, else to a side."""
    u, w, q = b - a, c - a, p - a
    uu, uw, ww = np.sum(u * u), np.sum(u * w), np.sum(w * w)
    qu, qw = np.sum(q * u), np.sum(q * w)
    whole = uu * ww - uw * uw
    if whole > 1e-14 * uu * ww:
        s = (qu * ww - qw * uw) / whole
        t = (qw * uu - qu * uw) / whole
        if s >= 0 and t >= 0 and s + t <= 1:
            gap = q - s * u - t * w
            return np.sum(gap * gap)
    return min(_to_segment(p, a, b), _to_segment(p, b, c), _to_segment(p, c, a))


@compiled
def to_nearest(points, vertices, faces, candidates):  # type: ignore[no-untyped-def]
    """Distance of each point to the nearest of its candidate faces."""
    out = np.empty(len(points))
    for i in range(len(points)):
        best = np.inf
        for k in range(candidates.shape[1]):
            f = candidates[i, k]
            best = min(
                best,
                to_triangle(points[i], vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]),
            )
        out[i] = np.sqrt(best)
    return out
