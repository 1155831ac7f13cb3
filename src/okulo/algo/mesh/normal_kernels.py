"""Filters of face normals, and the vertices that follow them; compiled, parallel over faces or vertices."""

import numba
import numpy as np
from numba import prange

from okulo.algo.mesh.compiled import either


@either
def closeness(centres, areas, ring_start, ring, reach):  # type: ignore[no-untyped-def]  # compiled by numba for its types
    """Weigh each neighbour by area × exp(-distance² / 2 reach²)."""
    weights = np.empty(len(ring), np.float32)
    for i in prange(len(centres)):
        for s in range(ring_start[i], ring_start[i + 1]):
            j = ring[s]
            x = centres[i, 0] - centres[j, 0]
            y = centres[i, 1] - centres[j, 1]
            z = centres[i, 2] - centres[j, 2]
            weights[s] = areas[j] * np.exp(-(x * x + y * y + z * z) / (2 * reach * reach))
    return weights


@either
def joint_bilateral(normals, guide, areas, ring_start, ring, weights, sigma):  # type: ignore[no-untyped-def]
    """Average each normal with its neighbours': weights × exp(-|guide difference|² / 2 sigma²)."""
    out = np.zeros_like(normals)
    scale = -1 / (2 * sigma * sigma)
    for i in prange(len(normals)):
        if areas[i] == 0:
            continue
        x, y, z = areas[i] * normals[i, 0], areas[i] * normals[i, 1], areas[i] * normals[i, 2]
        for s in range(ring_start[i], ring_start[i + 1]):
            j = ring[s]
            a = guide[i, 0] - guide[j, 0]
            b = guide[i, 1] - guide[j, 1]
            c = guide[i, 2] - guide[j, 2]
            w = weights[s] * np.exp(np.float32((a * a + b * b + c * c) * scale))
            x += w * normals[j, 0]
            y += w * normals[j, 1]
            z += w * normals[j, 2]
        size = np.sqrt(x * x + y * y + z * z)
        if size > 0:
            out[i, 0], out[i, 1], out[i, 2] = x / size, y / size, z / size
        else:
            out[i, 0], out[i, 1], out[i, 2] = normals[i, 0], normals[i, 1], normals[i, 2]
    return out


@either
def patches(normals, areas, across, ring_start, ring):  # type: ignore[no-untyped-def]
    """Judge the patch of each face and its ring: how uneven it is (low: even), and its mean normal.

    Zhang 2015: the largest difference of two normals in the patch × the largest difference across one of its
    edges, relative to the sum over all of them.
    """
    uneven = np.empty(len(normals))
    mean = np.zeros_like(normals)
    for i in prange(len(normals)):
        first, last = ring_start[i], ring_start[i + 1]
        widest = 0.0
        x, y, z = areas[i] * normals[i, 0], areas[i] * normals[i, 1], areas[i] * normals[i, 2]
        top = 0.0
        total = 0.0
        for s in range(first - 1, last):
            p = np.int64(i)  # the loop's own index has another type: mixed with ring's it would be a float
            if s >= first:
                p = np.int64(ring[s])
            if areas[p] == 0:
                continue
            if s >= first:
                x += areas[p] * normals[p, 0]
                y += areas[p] * normals[p, 1]
                z += areas[p] * normals[p, 2]
            for t in range(s + 1, last):
                q = ring[t]
                if areas[q] == 0:
                    continue
                a = normals[p, 0] - normals[q, 0]
                b = normals[p, 1] - normals[q, 1]
                c = normals[p, 2] - normals[q, 2]
                gap = a * a + b * b + c * c
                widest = max(widest, gap)
                if across[p, 0] == q or across[p, 1] == q or across[p, 2] == q:
                    step = np.sqrt(gap)
                    top = max(top, step)
                    total += step
        uneven[i] = np.sqrt(widest) * top / (1e-9 + total)
        size = np.sqrt(x * x + y * y + z * z)
        if size > 0:
            mean[i, 0], mean[i, 1], mean[i, 2] = x / size, y / size, z / size
        else:
            mean[i, 0], mean[i, 1], mean[i, 2] = normals[i, 0], normals[i, 1], normals[i, 2]
    return uneven, mean


@either
def guidance(uneven, mean, ring_start, ring):  # type: ignore[no-untyped-def]
    """Give each face the mean normal of the evenest patch it belongs to."""
    guide = np.empty_like(mean)
    for i in prange(len(mean)):
        best = np.int64(i)
        for s in range(ring_start[i], ring_start[i + 1]):
            j = np.int64(ring[s])
            if uneven[j] < uneven[best]:
                best = j
        guide[i, 0], guide[i, 1], guide[i, 2] = mean[best, 0], mean[best, 1], mean[best, 2]
    return guide


@either
def follow(vertices, faces, normals, start, incident):  # type: ignore[no-untyped-def]
    """Move each vertex towards the planes of the faces around it (Sun 2007, equation 8), one step."""
    out = np.empty_like(vertices)
    for v in prange(len(vertices)):
        x = y = z = 0.0
        count = 0
        for s in range(start[v], start[v + 1]):
            f = incident[s]
            nx, ny, nz = normals[f, 0], normals[f, 1], normals[f, 2]
            if nx == 0 and ny == 0 and nz == 0:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            height = (
                nx * ((vertices[a, 0] + vertices[b, 0] + vertices[c, 0]) / 3 - vertices[v, 0])
                + ny * ((vertices[a, 1] + vertices[b, 1] + vertices[c, 1]) / 3 - vertices[v, 1])
                + nz * ((vertices[a, 2] + vertices[b, 2] + vertices[c, 2]) / 3 - vertices[v, 2])
            )
            x += nx * height
            y += ny * height
            z += nz * height
            count += 1
        if count == 0:
            count = 1
        out[v, 0] = vertices[v, 0] + x / count
        out[v, 1] = vertices[v, 1] + y / count
        out[v, 2] = vertices[v, 2] + z / count
    return out


@numba.njit
def _is_folded(vertices, faces, normals, f):  # type: ignore[no-untyped-def]
    """Whether face f looks away from the normal it should have."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
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
    dot = x * normals[f, 0] + y * normals[f, 1] + z * normals[f, 2]
    return dot < 0.3 * np.sqrt(x * x + y * y + z * z)


@either
def unfold(vertices, faces, normals, border, start, incident):  # type: ignore[no-untyped-def]
    """Move the vertices of folded faces to their neighbours' mean, but only within the planes they lie in.

    The step d is weakened where faces forbid it: it solves (N + εI) d = ε d₀, N the mean of n nᵀ, ε 0.02.
    """
    out = vertices.copy()
    for v in prange(len(vertices)):
        if border[v]:
            continue
        folded = False
        for s in range(start[v], start[v + 1]):
            folded = folded or _is_folded(vertices, faces, normals, incident[s])
        if not folded:
            continue
        matrix = np.zeros((3, 3))
        mean = np.zeros(3)
        count = 0
        for s in range(start[v], start[v + 1]):
            f = incident[s]
            count += 1
            for d in range(3):
                for k in range(3):
                    mean[d] += vertices[faces[f, k], d]
                    matrix[d, k] += normals[f, d] * normals[f, k]
        step = np.empty(3)
        for d in range(3):
            step[d] = 0.02 * ((mean[d] - count * vertices[v, d]) / (2 * count) - vertices[v, d])
            for k in range(3):
                matrix[d, k] /= count
            matrix[d, d] += 0.02
        _solve_three(matrix, step)
        for d in range(3):
            out[v, d] = vertices[v, d] + step[d]
    return out


@numba.njit
def _solve_three(matrix, step):  # type: ignore[no-untyped-def]
    """Solve matrix · x = step of a positive definite 3 × 3 matrix in place; compiles faster than LAPACK."""
    for k in range(3):
        for d in range(k + 1, 3):
            share = matrix[d, k] / matrix[k, k]
            for e in range(k, 3):
                matrix[d, e] -= share * matrix[k, e]
            step[d] -= share * step[k]
    for k in range(2, -1, -1):
        for e in range(k + 1, 3):
            step[k] -= matrix[k, e] * step[e]
        step[k] /= matrix[k, k]
