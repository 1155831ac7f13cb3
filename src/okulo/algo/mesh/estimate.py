"""What a mesh says of its own noise, with no truth at hand."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32

from okulo.algo.mesh.noise import vertex_normals
from okulo.algo.mesh.smooth import border_vertices, laplacian
from okulo.algo.mesh.smooth_kernels import laplacian_step
from okulo.algo.mesh.topology import Topology, even_out, mean_edge_length
from okulo.core.nouns import Mesh

BILAPLACIAN_SPREAD = 1.36
"""Standard deviation of the bi-Laplacian of unit white noise where every vertex has six neighbours."""

PUSH = 0.03
"""How far `Probe` moves vertices, in mean edge lengths."""

EVEN = 3
"""How often `Probe` averages heights before it takes slopes."""


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


@dataclass(frozen=True)
class Probe:
    """A noisy mesh, and the same with every vertex moved by ± `PUSH` along its normal.

    Stein's unbiased risk estimate (1981), by the random probe of Ramani, Blu & Unser (2008): the mean squared
    error after a filter is |filtered - noisy|² + 2 noise² · (how much of a push it lets through) - noise². It
    holds for any filter and needs no truth, only the level of noise that is not alike between neighbours.
    """

    noisy: Mesh
    pushed: Mesh
    normals: Float64[np.ndarray, "v 3"]
    signs: Float64[np.ndarray, " v"]
    edges: Int32[np.ndarray, "e 4"]

    def expected_error(self, clean: Mesh, clean_pushed: Mesh, noise: float) -> float:
        """Expect so much mean squared error of slopes (radians²) after a filter; below 0 only by chance.

        A slope is the difference of the heights at the ends of an edge, in mean edge lengths, after heights
        were averaged with their neighbours' `EVEN` times: normals are slopes, and averages calm the estimate.

        Args:
            clean: what the filter makes of `noisy`.
            clean_pushed: what it makes of `pushed`.
            noise: level, in mean edge lengths.
        """
        length = mean_edge_length(self.noisy) or 1.0
        taken = np.einsum("ij,ij->i", clean.vertices - self.noisy.vertices, self.normals) / length
        answer = np.einsum("ij,ij->i", clean_pushed.vertices - clean.vertices, self.normals) / length / PUSH
        away, passed, push = (self._slopes(each) for each in (taken, answer, self.signs))
        return float((away**2).mean() + noise**2 * (2 * (passed * push).mean() - (push**2).mean()))

    def _slopes(self, heights: Float64[np.ndarray, " v"]) -> Float64[np.ndarray, " e"]:
        even = even_out(heights, self.edges, EVEN)
        return np.asarray(even[self.edges[:, 0]] - even[self.edges[:, 1]])


def probe(noisy: Mesh, near: Topology, rng: np.random.Generator) -> Probe:
    """Push every vertex of a mesh in or out, at random."""
    normals = vertex_normals(laplacian(noisy, near, 3))
    signs = rng.choice(np.array([-1.0, 1.0]), len(normals))
    step = PUSH * mean_edge_length(noisy) * signs[:, None]
    pushed = Mesh(noisy.vertices + step * normals, noisy.faces)
    return Probe(noisy, pushed, normals, signs, near.edges())
