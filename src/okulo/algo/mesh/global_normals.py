"""Bilateral normal filtering as one linear system over all faces (Zheng 2011, section 3.2)."""

import numpy as np
from jaxtyping import Float64
from scipy.sparse import csr_array, diags_array

from okulo.algo.mesh.normals import ring_weights
from okulo.algo.mesh.topology import FaceShapes, Topology


def bilateral_normals_global(
    shapes: FaceShapes, near: Topology, sigma: float, closeness: float = 0.05, reach: float = 1.0
) -> Float64[np.ndarray, "f 3"]:
    """Find the normals that agree best with their bilateral means and with the noisy normals.

    Minimises Σ A_i |n_i - Σ_j w_ij n_j|² + closeness · Σ A_i |n_i - noisy_i|² with w the bilateral weights of
    the noisy normals, by conjugate gradients to a thousandth.

    Args:
        shapes: of the noisy mesh.
        near: its neighbours.
        sigma: how different normals may be.
        closeness: what it costs to leave the noisy normals; small: smoother.
        reach: spatial sigma, in mean distances between neighbouring faces.
    """
    count = len(shapes.areas)
    areas = shapes.areas / (float(shapes.areas.mean()) or 1.0)
    weights = ring_weights(shapes, near, reach).astype(np.float64)
    rows = np.repeat(np.arange(count, dtype=np.int32), np.diff(near.ring_start))
    apart = ((shapes.normals[rows] - shapes.normals[near.ring]) ** 2).sum(axis=1)
    weights *= np.exp(-apart / (2 * sigma * sigma))
    around = csr_array((weights, near.ring, near.ring_start), shape=(count, count))
    totals = np.maximum(around.sum(axis=1), 1e-12)
    away = diags_array((areas > 0).astype(float)) - diags_array(1 / totals) @ around
    matrix = (away.T @ diags_array(areas) @ away + diags_array(closeness * areas + 1e-9)).tocsr()
    normals = _solve(matrix, closeness * areas[:, None] * shapes.normals, shapes.normals)
    sizes = np.linalg.norm(normals, axis=1, keepdims=True)
    kept = np.where(sizes > 1e-9, normals / np.maximum(sizes, 1e-9), shapes.normals)
    return np.where(areas[:, None] > 0, kept, 0.0)


def _solve(
    matrix: csr_array, right: Float64[np.ndarray, "f 3"], first: Float64[np.ndarray, "f 3"]
) -> Float64[np.ndarray, "f 3"]:
    inverse = 1 / matrix.diagonal()[:, None]
    points = first
    residual = right - matrix @ points
    direction = inverse * residual
    sized = float(np.vdot(residual, direction))
    enough = 1e-6 * max(sized, 1e-300)
    for _ in range(300):
        if sized <= enough:
            break
        pushed = matrix @ direction
        amount = sized / float(np.vdot(direction, pushed))
        points = points + amount * direction
        residual = residual - amount * pushed
        towards = inverse * residual
        before, sized = sized, float(np.vdot(residual, towards))
        direction = towards + sized / before * direction
    return points
