"""What a mesh says of its own noise, with no truth at hand."""

import numpy as np
from jaxtyping import Float64

from okulo.algo.mesh.noise import vertex_normals
from okulo.algo.mesh.smooth import border_vertices, laplacian
from okulo.algo.mesh.smooth_kernels import laplacian_step
from okulo.algo.mesh.topology import Topology, mean_edge_length
from okulo.core.nouns import Mesh

BILAPLACIAN_SPREAD = 1.36
"""Standard deviation of the bi-Laplacian of unit white noise where every vertex has six neighbours."""


def noise_level(mesh: Mesh, near: Topology) -> float:
    """Estimate the noise along the normals, as a fraction of the mean edge length.

    The bi-Laplacian takes out what is flat or evenly curved; the median over the vertices passes sharp edges
    by. Detail as fine as the triangles cannot be told from noise: on real scans this is an upper bound.
    """
    rough = _bilaplacian_heights(mesh, near)
    length = mean_edge_length(mesh)
    if not len(rough) or not length:
        return 0.0
    return float(np.median(np.abs(rough)) / 0.6745 / BILAPLACIAN_SPREAD / length)


def _bilaplacian_heights(mesh: Mesh, near: Topology) -> Float64[np.ndarray, " i"]:
    border = border_vertices(mesh, near)
    inside = ~border & (np.diff(near.start) > 0)
    once = mesh.vertices - _mean(mesh.vertices, mesh, near, border)
    twice = once - _mean(once, mesh, near, border)
    normals = vertex_normals(laplacian(mesh, near, 3))
    return np.asarray(np.einsum("ij,ij->i", twice, normals)[inside])


def _mean(
    values: Float64[np.ndarray, "v 3"], mesh: Mesh, near: Topology, border: np.ndarray
) -> Float64[np.ndarray, "v 3"]:
    """Average each vertex's neighbours' values."""
    mean: Float64[np.ndarray, "v 3"] = laplacian_step(
        values, mesh.faces, near.across, near.start, near.incident, border, 1.0, False
    )
    return mean


def removed_likeness(noisy: Mesh, clean: Mesh, near: Topology) -> float:
    """Correlation between neighbours of what was taken away along the normals.

    Noise of single vertices has none, and a good filter's removal a little less than none (it keeps
    their mean).
    Above 0 the surface's own detail went too, which neighbours share.
    """
    inside = ~border_vertices(noisy, near) & (np.diff(near.start) > 0)
    taken = np.einsum("ij,ij->i", noisy.vertices - clean.vertices, vertex_normals(clean)) * inside
    first, second = near.edges()[:, :2].T
    power = float((taken[first] ** 2 + taken[second] ** 2).mean()) / 2
    return float((taken[first] * taken[second]).mean()) / power if power > 0 else 0.0
