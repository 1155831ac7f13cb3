"""The operators of L0 smoothing, compiled: edges in parallel, then vertices that gather from their edges."""

import numba
import numpy as np
from numba import prange

from okulo.algo.mesh.compiled import compiled, either


@compiled
def edges_of_vertices(quads, count):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """List, for each vertex, the edges it has a part in, as 4 · edge + place."""
    start = np.zeros(count + 1, np.int64)
    for e in range(len(quads)):
        for k in range(4):
            start[quads[e, k] + 1] += 1
    for v in range(count):
        start[v + 1] += start[v]
    places = np.empty(start[count], np.int32)
    filled = start[:-1].copy()
    for e in range(len(quads)):
        for k in range(4):
            v = quads[e, k]
            places[filled[v]] = 4 * e + k
            filled[v] += 1
    return start, places


@numba.njit
def _dot(vertices, at, a, b):  # type: ignore[no-untyped-def]
    total = 0.0
    for d in range(3):
        total += (vertices[a, d] - vertices[at, d]) * (vertices[b, d] - vertices[at, d])
    return total


@numba.njit
def _area(vertices, at, a, b):  # type: ignore[no-untyped-def]
    """Twice the area of a triangle, never 0."""
    dot = _dot(vertices, at, a, b)
    square = _dot(vertices, at, a, a) * _dot(vertices, at, b, b) - dot * dot
    return np.sqrt(max(square, 0.0)) + 1e-300


@either
def edge_operator(vertices, quads, area_based):  # type: ignore[no-untyped-def]
    """Coefficients of p1…p4 (He & Schaefer 2013, equations 5 and 6): 0 on a flat pair of triangles."""
    out = np.empty((len(quads), 4))
    for e in prange(len(quads)):
        p1, p2, p3, p4 = quads[e, 0], quads[e, 1], quads[e, 2], quads[e, 3]
        first, second = _area(vertices, p1, p2, p3), _area(vertices, p1, p3, p4)
        length = _dot(vertices, p1, p3, p3) + 1e-300
        if area_based:
            both = first + second
            at = (first * _dot(vertices, p1, p4, p3) + second * _dot(vertices, p1, p2, p3)) / (both * length)
            at = min(max(at, -3.0), 4.0)
            out[e, 0], out[e, 1], out[e, 2], out[e, 3] = at - 1, second / both, -at, first / both
        else:
            c231 = min(max(_dot(vertices, p3, p2, p1) / first, -5.0), 5.0)
            c134 = min(max(_dot(vertices, p3, p1, p4) / second, -5.0), 5.0)
            c312 = min(max(_dot(vertices, p1, p3, p2) / first, -5.0), 5.0)
            c413 = min(max(_dot(vertices, p1, p4, p3) / second, -5.0), 5.0)
            out[e, 0], out[e, 1] = -c231 - c134, c231 + c312
            out[e, 2], out[e, 3] = -c312 - c413, c134 + c413
    return out


@either
def apply_edges(vertices, quads, weights):  # type: ignore[no-untyped-def]
    """Sum weights × points over each edge's four points."""
    out = np.empty((len(quads), 3))
    for e in prange(len(quads)):
        for d in range(3):
            out[e, d] = (
                weights[e, 0] * vertices[quads[e, 0], d]
                + weights[e, 1] * vertices[quads[e, 1], d]
                + weights[e, 2] * vertices[quads[e, 2], d]
                + weights[e, 3] * vertices[quads[e, 3], d]
            )
    return out


@either
def gather(values, weights, start, places):  # type: ignore[no-untyped-def]
    """The transpose of `apply_edges`: each vertex sums what its edges hold."""
    out = np.zeros((len(start) - 1, 3))
    for v in prange(len(start) - 1):
        for s in range(start[v], start[v + 1]):
            e = places[s] >> 2
            w = weights[e, places[s] & 3]
            out[v, 0] += w * values[e, 0]
            out[v, 1] += w * values[e, 1]
            out[v, 2] += w * values[e, 2]
    return out


@either
def bend(points, quads, weights, alpha, beta):  # type: ignore[no-untyped-def]
    """First half of the product with the system's matrix: what each edge says of these points."""
    sharp = np.empty((len(quads), 3))
    even = np.empty((len(quads), 3))
    for e in prange(len(quads)):
        for d in range(3):
            a, b = points[quads[e, 0], d], points[quads[e, 1], d]
            c, f = points[quads[e, 2], d], points[quads[e, 3], d]
            sharp[e, d] = beta * (
                weights[e, 0] * a + weights[e, 1] * b + weights[e, 2] * c + weights[e, 3] * f
            )
            even[e, d] = alpha * (a - b + c - f)
    return sharp, even


@either
def unbend(points, sharp, even, weights, start, places):  # type: ignore[no-untyped-def]
    """Second half: points + Dᵀ sharp + Rᵀ even."""
    out = np.empty_like(points)
    for v in prange(len(points)):
        x, y, z = points[v, 0], points[v, 1], points[v, 2]
        for s in range(start[v], start[v + 1]):
            e = places[s] >> 2
            k = places[s] & 3
            w = weights[e, k]
            sign = 1.0 if k % 2 == 0 else -1.0
            x += w * sharp[e, 0] + sign * even[e, 0]
            y += w * sharp[e, 1] + sign * even[e, 1]
            z += w * sharp[e, 2] + sign * even[e, 2]
        out[v, 0], out[v, 1], out[v, 2] = x, y, z
    return out


@either
def diagonal(weights, start, places, alpha, beta):  # type: ignore[no-untyped-def]
    """The matrix's diagonal, for preconditioning."""
    out = np.ones(len(start) - 1)
    for v in prange(len(start) - 1):
        total = 1.0
        for s in range(start[v], start[v + 1]):
            w = weights[places[s] >> 2, places[s] & 3]
            total += beta * w * w + alpha
        out[v] = total
    return out
