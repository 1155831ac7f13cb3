"""Filters that move vertices, compiled; one step each, parallel over vertices."""

import numba
import numpy as np
from numba import prange

from okulo.algo.mesh.compiled import compiled, either


@compiled
def on_border(faces, across, count):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Tell which vertices lie on an edge that has not exactly two faces."""
    border = np.zeros(count, np.bool_)
    for i in range(len(faces)):
        for k in range(3):
            if across[i, k] < 0:
                border[faces[i, k]] = True
                border[faces[i, (k + 1) % 3]] = True
    return border


@numba.njit
def _cotangent(vertices, at, a, b):  # type: ignore[no-untyped-def]
    """Cotangent of the angle at `at`, kept between 0.01 and 10: a flat triangle must not take over."""
    dot = 0.0
    first = 0.0
    second = 0.0
    for d in range(3):
        u = vertices[a, d] - vertices[at, d]
        w = vertices[b, d] - vertices[at, d]
        dot += u * w
        first += u * u
        second += w * w
    area = np.sqrt(max(first * second - dot * dot, 0.0))
    return min(max(dot / area, 0.01), 10.0) if area > 0 else 1.0


@either
def laplacian_step(vertices, faces, across, start, incident, border, amount, cotangent):  # type: ignore[no-untyped-def]
    """Move each vertex by `amount` of the way to its neighbours' mean; on a border, to the border's."""
    out = np.empty_like(vertices)
    for v in prange(len(vertices)):
        x = y = z = 0.0
        total = 0.0
        for s in range(start[v], start[v + 1]):
            f = incident[s]
            k = 0
            if faces[f, 1] == v:
                k = 1
            elif faces[f, 2] == v:
                k = 2
            after, before = faces[f, (k + 1) % 3], faces[f, (k + 2) % 3]
            left = right = 1.0
            if border[v]:
                left = 1.0 if across[f, k] < 0 else 0.0
                right = 1.0 if across[f, (k + 2) % 3] < 0 else 0.0
            elif cotangent:
                left = _cotangent(vertices, before, v, after)
                right = _cotangent(vertices, after, v, before)
            x += left * vertices[after, 0] + right * vertices[before, 0]
            y += left * vertices[after, 1] + right * vertices[before, 1]
            z += left * vertices[after, 2] + right * vertices[before, 2]
            total += left + right
        step = amount if total > 0 else 0.0
        total = max(total, 1e-300)
        out[v, 0] = vertices[v, 0] + step * (x / total - vertices[v, 0])
        out[v, 1] = vertices[v, 1] + step * (y / total - vertices[v, 1])
        out[v, 2] = vertices[v, 2] + step * (z / total - vertices[v, 2])
    return out


@either
def bilateral_vertex_step(vertices, normals, faces, start, incident, reach, sigma):  # type: ignore[no-untyped-def]
    """Move each vertex along its normal by the bilateral mean of its neighbours' heights (Fleishman 2003)."""
    out = np.empty_like(vertices)
    for v in prange(len(vertices)):
        lift = 0.0
        total = 0.0
        for s in range(start[v], start[v + 1]):
            f = incident[s]
            for k in range(3):
                q = faces[f, k]
                far = 0.0
                height = 0.0
                for d in range(3):
                    gap = vertices[q, d] - vertices[v, d]
                    far += gap * gap
                    height += gap * normals[v, d]
                w = np.exp(-far / (2 * reach * reach) - height * height / (2 * sigma * sigma))
                lift += w * height
                total += w
        if total > 0:
            lift /= total
        for d in range(3):
            out[v, d] = vertices[v, d] + lift * normals[v, d]
    return out
