"""Who touches whom on a triangle mesh, compiled. No loop index is ever reassigned: see issue 9."""

import numba
import numpy as np
from numba import prange

from okulo.algo.mesh.compiled import compiled, either


@compiled
def faces_of_vertices(faces, count):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """List the faces around each vertex: `incident[start[v]:start[v + 1]]`, rising; a face counts once."""
    start = np.zeros(count + 1, np.int32)
    for i in range(len(faces)):
        a, b, c = faces[i, 0], faces[i, 1], faces[i, 2]
        start[a + 1] += 1
        if b != a:
            start[b + 1] += 1
        if c not in (a, b):
            start[c + 1] += 1
    for v in range(count):
        start[v + 1] += start[v]
    incident = np.empty(start[count], np.int32)
    filled = start[:-1].copy()
    for i in range(len(faces)):
        a, b, c = faces[i, 0], faces[i, 1], faces[i, 2]
        incident[filled[a]] = i
        filled[a] += 1
        if b != a:
            incident[filled[b]] = i
            filled[b] += 1
        if c not in (a, b):
            incident[filled[c]] = i
            filled[c] += 1
    return start, incident


@numba.njit
def _has(faces, j, v):  # type: ignore[no-untyped-def]
    return faces[j, 0] == v or faces[j, 1] == v or faces[j, 2] == v


@either
def faces_across_edges(faces, start, incident):  # type: ignore[no-untyped-def]
    """Name the face across each edge (k to k + 1): -1 on a boundary, -2 where three or more meet."""
    across = np.full((len(faces), 3), -1, np.int32)
    for i in prange(len(faces)):
        for k in range(3):
            a = faces[i, k]
            b = faces[i, (k + 1) % 3]
            if a == b:
                continue
            if start[b + 1] - start[b] < start[a + 1] - start[a]:
                hub, other = b, a
            else:
                hub, other = a, b
            met = 0
            last = -1
            for s in range(start[hub], start[hub + 1]):
                j = incident[s]
                if j != i and _has(faces, j, other):
                    met += 1
                    last = j
            if met == 1:
                across[i, k] = last
            elif met > 1:
                across[i, k] = -2
    return across


@numba.njit
def _is_new(faces, start, i, k, j, most):  # type: ignore[no-untyped-def]
    """Whether neighbour j, found at corner k of face i, was not already found at an earlier corner."""
    if j == i:
        return False
    for e in range(k):
        v = faces[i, e]
        if start[v + 1] - start[v] <= most and _has(faces, j, v):
            return False
    return True


@either
def ring_sizes(faces, start, incident, most):  # type: ignore[no-untyped-def]
    """Count the faces that share a vertex with each face; a vertex of more than `most` faces is left out."""
    sizes = np.zeros(len(faces), np.int32)
    for i in prange(len(faces)):
        found = 0
        for k in range(3):
            v = faces[i, k]
            if start[v + 1] - start[v] <= most:
                for s in range(start[v], start[v + 1]):
                    if _is_new(faces, start, i, k, incident[s], most):
                        found += 1
        sizes[i] = found
    return sizes


@either
def fill_rings(faces, start, incident, most, ring_start, ring):  # type: ignore[no-untyped-def]
    """Write the faces that share a vertex with each face into `ring[ring_start[i]:ring_start[i + 1]]`."""
    for i in prange(len(faces)):
        at = ring_start[i]
        for k in range(3):
            v = faces[i, k]
            if start[v + 1] - start[v] <= most:
                for s in range(start[v], start[v + 1]):
                    if _is_new(faces, start, i, k, incident[s], most):
                        ring[at] = incident[s]
                        at += 1


@either
def shape_of_faces(vertices, faces):  # type: ignore[no-untyped-def]
    """Unit normals (0 where the area is 0), areas and centroids."""
    normals = np.zeros((len(faces), 3))
    areas = np.zeros(len(faces))
    centres = np.empty((len(faces), 3))
    for i in prange(len(faces)):
        a, b, c = faces[i, 0], faces[i, 1], faces[i, 2]
        ux, uy, uz = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        wx, wy, wz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        size = np.sqrt(x * x + y * y + z * z)
        longest = max(ux * ux + uy * uy + uz * uz, wx * wx + wy * wy + wz * wz)
        areas[i] = size / 2
        if size > 1e-10 * longest and size > 0:
            normals[i, 0], normals[i, 1], normals[i, 2] = x / size, y / size, z / size
        else:
            areas[i] = 0.0
        for d in range(3):
            centres[i, d] = (vertices[a, d] + vertices[b, d] + vertices[c, d]) / 3
    return normals, areas, centres
