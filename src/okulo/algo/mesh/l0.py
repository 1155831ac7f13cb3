"""L0 minimisation of He & Schaefer 2013: as few edges as possible stay bent."""

import numpy as np
from jaxtyping import Float64, Int32

from okulo.algo.mesh.l0_kernels import (
    apply_edges,
    bend,
    diagonal,
    edge_operator,
    edges_of_vertices,
    gather,
    unbend,
)
from okulo.algo.mesh.topology import Topology, face_shapes, mean_edge_length
from okulo.core.nouns import Mesh


def edge_quads(near: Topology) -> Int32[np.ndarray, "e 4"]:
    """List p1…p4 of every edge two faces share: its end, the first face's tip, its start, the other's tip."""
    face, corner = np.nonzero(near.across > np.arange(len(near.faces), dtype=np.int32)[:, None])
    start, end = near.faces[face, corner], near.faces[face, (corner + 1) % 3]
    tip = near.faces[face, (corner + 2) % 3]
    other = near.faces[near.across[face, corner]]
    opposite = np.where((other != start[:, None]) & (other != end[:, None]), other, 0).sum(axis=1)
    return np.column_stack([end, tip, start, opposite]).astype(np.int32)


def mean_dihedral(mesh: Mesh, near: Topology) -> float:
    """Average the angle between neighbouring faces' normals, in radians."""
    face, corner = np.nonzero(near.across > np.arange(len(near.faces), dtype=np.int32)[:, None])
    if not len(face):
        return 0.0
    normals = face_shapes(mesh.vertices, mesh.faces).normals
    cosine = np.einsum("ij,ij->i", normals[face], normals[near.across[face, corner]])
    return float(np.arccos(np.clip(cosine, -1, 1)).mean())


def l0(
    mesh: Mesh, near: Topology, strength: float = 0.2, area_based: bool = True, growth: float = 2**0.5
) -> Mesh:
    """L0 minimisation of He & Schaefer 2013: surfaces become piecewise flat, edges between them stay.

    Args:
        mesh: the noisy mesh.
        near: its neighbours; an edge of one or three faces takes no part.
        strength: λ in units of (mean edge length)² × mean dihedral angle. The paper's 0.02 barely denoises.
        area_based: the paper's area-based edge operator (section 3.2), else the cotangent one (3.1).
        growth: factor on β, which rises from 0.001 to 1000; α starts at 0.1 × mean dihedral angle and halves.

    The linear systems are solved by conjugate gradients to 0.001, not exactly.
    """
    quads = edge_quads(near)
    if not len(quads):
        return mesh
    start, places = edges_of_vertices(quads, len(mesh.vertices))
    bent = mean_dihedral(mesh, near)
    centre, length = mesh.vertices.mean(axis=0), mean_edge_length(mesh) or 1.0
    noisy = (mesh.vertices - centre) / length
    points, limit, alpha, beta = noisy, strength * bent, 0.1 * bent, 1e-3
    while beta < 1e3:
        weights = edge_operator(points, quads, area_based)
        step = apply_edges(points, quads, weights)
        step[(step**2).sum(axis=1) < limit / beta] = 0
        right = noisy + beta * gather(step, weights, start, places)
        points = _solve(points, right, quads, weights, start, places, alpha, beta)
        beta *= growth
        alpha /= 2
    return Mesh(points * length + centre, mesh.faces)


def _solve(
    points: Float64[np.ndarray, "v 3"],
    right: Float64[np.ndarray, "v 3"],
    quads: Int32[np.ndarray, "e 4"],
    weights: Float64[np.ndarray, "e 4"],
    start: np.ndarray,
    places: np.ndarray,
    alpha: float,
    beta: float,
    tolerance: float = 1e-3,
) -> Float64[np.ndarray, "v 3"]:
    """Solve (1 + α RᵀR + β DᵀD) p = right by conjugate gradients, Jacobi-preconditioned, from `points`."""
    inverse = 1 / diagonal(weights, start, places, alpha, beta)[:, None]
    residual = right - unbend(points, *bend(points, quads, weights, alpha, beta), weights, start, places)
    towards = inverse * residual
    direction, sized = towards, float(np.vdot(residual, towards))
    enough = tolerance**2 * len(points)  # in mean edge lengths: what moves less than a thousandth is done
    for _ in range(100):
        if sized <= enough:
            break
        pushed = unbend(direction, *bend(direction, quads, weights, alpha, beta), weights, start, places)
        amount = sized / float(np.vdot(direction, pushed))
        points = points + amount * direction
        residual = residual - amount * pushed
        towards = inverse * residual
        before, sized = sized, float(np.vdot(residual, towards))
        direction = towards + sized / before * direction
    return points
