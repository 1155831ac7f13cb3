"""Filters that move vertices towards their neighbours: Laplacian, Taubin, bilateral."""

import numpy as np
from jaxtyping import Bool

from okulo.algo.mesh.noise import vertex_normals
from okulo.algo.mesh.smooth_kernels import bilateral_vertex_step, laplacian_step, on_border
from okulo.algo.mesh.topology import Topology, even_out, mean_edge_length
from okulo.core.nouns import Mesh


def border_vertices(mesh: Mesh, near: Topology) -> Bool[np.ndarray, " v"]:
    """Tell which vertices lie on a boundary, or on an edge of three or more faces."""
    border: Bool[np.ndarray, " v"] = on_border(mesh.faces, near.across, len(mesh.vertices))
    return border


def laplacian(
    mesh: Mesh, near: Topology, iterations: int, amount: float = 0.5, cotangent: bool = False
) -> Mesh:
    """Laplacian smoothing: every vertex goes `amount` of the way to its neighbours' mean; the mesh shrinks.

    With `cotangent` neighbours are weighed by the cotangents of the angles opposite to the edge (Desbrun
    1999, section 5), which does not slide vertices along the surface. Vertices on a border move along it.
    """
    return _alternate(mesh, near, [amount] * iterations, cotangent)


def taubin(mesh: Mesh, near: Topology, iterations: int, amount: float = 0.5, back: float = 0.53) -> Mesh:
    """Taubin's λ|μ smoothing (1995): a step in by `amount`, a larger one out by `back`: little shrinkage."""
    return _alternate(mesh, near, [amount, -back] * iterations, False)


def _alternate(mesh: Mesh, near: Topology, amounts: list[float], cotangent: bool) -> Mesh:
    border = border_vertices(mesh, near)
    vertices = mesh.vertices
    for amount in amounts:
        vertices = laplacian_step(
            vertices, mesh.faces, near.across, near.start, near.incident, border, float(amount), cotangent
        )
    return Mesh(vertices, mesh.faces)


def restore(noisy: Mesh, clean: Mesh, near: Topology, turns: int) -> Mesh:
    """Give back what was taken away along the normals and is alike over a neighbourhood: form, not noise.

    Tukey's twicing: what a filter took is averaged itself, `turns` times, and added. Detail comes back, and
    of the noise what an average over so many turns leaves.
    """
    if not turns:
        return clean
    outwards = vertex_normals(clean)
    taken = np.einsum("ij,ij->i", noisy.vertices - clean.vertices, outwards)
    back = even_out(taken, near.edges(), turns)
    back[border_vertices(clean, near)] = 0.0
    return Mesh(clean.vertices + back[:, None] * outwards, clean.faces)


def bilateral_vertices(
    mesh: Mesh, near: Topology, iterations: int, sigma: float = 0.3, reach: float = 1.0
) -> Mesh:
    """Bilateral filter of vertices, Fleishman 2003: each moves along its normal; unlike heights count less.

    Args:
        mesh: the noisy mesh.
        near: its neighbours. The vertices of the faces around a vertex take part.
        iterations: how often; normals are computed anew each time.
        sigma: how different heights may be, in mean edge lengths.
        reach: spatial sigma, in mean edge lengths.
    """
    length = mean_edge_length(mesh) or 1.0
    for _ in range(iterations):
        vertices = bilateral_vertex_step(
            mesh.vertices,
            vertex_normals(mesh),
            mesh.faces,
            near.start,
            near.incident,
            reach * length,
            sigma * length,
        )
        mesh = Mesh(vertices, mesh.faces)
    return mesh
