"""What a mesh says of its own noise, with no truth at hand."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32

from okulo.algo.mesh.noise import vertex_normals
from okulo.algo.mesh.smooth import border_vertices, laplacian
from okulo.algo.mesh.smooth_kernels import laplacian_step
from okulo.algo.mesh.topology import Topology, mean_edge_length
from okulo.core.nouns import Mesh

BILAPLACIAN_SPREAD = 1.36
"""Standard deviation of the bi-Laplacian of unit white noise where every vertex has six neighbours."""

ALONE = 0.04
"""From this height on, in mean edge lengths, a vertex can be a spike."""


SPARSE = 3.0
"""Noise counts as sparse where few vertices are off, by this many times what the others are."""

ALIKE = 0.08
"""Noise counts as shared from this correlation between neighbours on."""


def noise_level(mesh: Mesh, near: Topology) -> float:
    """Estimate the noise along the normals, as a fraction of the mean edge length.

    The bi-Laplacian takes out what is flat or evenly curved; the median over the vertices passes sharp edges
    by. Detail as fine as the triangles cannot be told from noise: on real scans this is an upper bound.
    """
    rough = bilaplacian_heights(mesh, near)
    length = mean_edge_length(mesh)
    if not len(rough) or not length:
        return 0.0
    return float(np.median(np.abs(rough)) / 0.6745 / BILAPLACIAN_SPREAD / length)


def inner_vertices(mesh: Mesh, near: Topology) -> Bool[np.ndarray, " v"]:
    """Tell which vertices have faces all around them."""
    return np.asarray(~border_vertices(mesh, near) & (np.diff(near.start) > 0))


def bilaplacian_heights(mesh: Mesh, near: Topology) -> Float64[np.ndarray, " i"]:
    """Bi-Laplacian of the inner vertices along their normals: what is left once form is taken out."""
    border = border_vertices(mesh, near)
    inside = inner_vertices(mesh, near)
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


def likeness(
    values: Float64[np.ndarray, " v"], edges: Int32[np.ndarray, "e 4"], inside: Bool[np.ndarray, " v"]
) -> float:
    """Correlation of a number of the inner vertices with their neighbours'; 0 where there is none.

    >>> likeness(np.array([1.0, 1.0, -1.0]), np.int32([[0, 1, 0, 0], [1, 2, 0, 0]]), np.ones(3, np.bool_))
    0.0
    """
    first, second = edges[inside[edges[:, :2]].all(axis=1), :2].T
    power = float((values[first] ** 2 + values[second] ** 2).sum()) / 2
    return float((values[first] * values[second]).sum()) / power if power > 0 else 0.0


def spikes(mesh: Mesh, near: Topology) -> float:
    """Share of the inner vertices that stand out alone: off their neighbours' mean as none of these is.

    A vertex on an edge or at a corner of the surface has neighbours that are off as well.

    >>> from okulo.algo.mesh.shapes import sphere
    >>> from okulo.algo.mesh.topology import topology
    >>> ball = sphere(2)
    >>> ball.vertices[50] *= 1.1
    >>> round(spikes(ball, topology(ball)) * 162, 9)
    1.0
    """
    inside = inner_vertices(mesh, near)
    if not inside.any():
        return 0.0
    off = mesh.vertices - laplacian(mesh, near, 1, 1.0).vertices
    heights = np.abs(np.einsum("ij,ij->i", off, vertex_normals(laplacian(mesh, near, 3)))) * inside
    edges = near.edges()
    most = np.zeros(len(heights))
    for here, there in ((0, 1), (1, 0)):
        np.maximum.at(most, edges[:, here], heights[edges[:, there]])
    alone = (heights > ALONE * mean_edge_length(mesh)) & (heights > 3 * most)
    return float(alone.sum() / inside.sum())


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What was taken off a mesh along its normals, in mean edge lengths: its noise, if all went well."""

    size: float
    """Root of its mean square over the inner vertices."""
    share: float
    """Share of the vertices that are far off, and…"""
    far: float
    """…their standard deviation."""
    rest: float
    """Standard deviation of the others."""
    alike: float
    """Correlation between neighbours: of noise in single vertices 0, a little less after a filter."""

    @property
    def kind(self) -> str:
        """`sparse`: few vertices are off; `shared`: neighbours are off alike; `even`: each by itself."""
        if self.share < 0.5 and self.far > SPARSE * self.rest:
            return "sparse"
        return "shared" if self.alike >= ALIKE else "even"


def taken_off(noisy: Mesh, clean: Mesh, near: Topology) -> Taken:
    """Describe what a filter took off a mesh.

    The far share is that of a mixture of two normal distributions about 0 (expectation-maximisation).
    """
    inside = inner_vertices(noisy, near)
    way = np.einsum("ij,ij->i", noisy.vertices - clean.vertices, vertex_normals(clean))
    way = way / (mean_edge_length(noisy) or 1.0)
    share, far, rest = mixture(way[inside])
    size = float(np.sqrt((way[inside] ** 2).mean())) if inside.any() else 0.0
    return Taken(size=size, share=share, far=far, rest=rest, alike=likeness(way, near.edges(), inside))


def mixture(values: Float64[np.ndarray, " n"], turns: int = 60) -> tuple[float, float, float]:
    """Split values about 0 into many small and few large: share of the large, both deviations.

    >>> few = np.concatenate([np.full(90, 0.1), np.full(10, 2.0)]) * np.tile([1, -1], 50)
    >>> [round(each, 1) for each in mixture(few)]
    [0.1, 1.9, 0.1]
    """
    power = float((values**2).mean()) if len(values) else 0.0
    if power == 0:
        return 0.0, 0.0, 0.0
    least = 1e-6 * power
    share, far, rest = 0.3, 2 * power, 0.2 * power
    for _ in range(turns):
        odds = np.log(share / (1 - share)) + np.log(rest / far) / 2 + values**2 / 2 * (1 / rest - 1 / far)
        large = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
        share = float(np.clip(large.mean(), 1e-6, 1 - 1e-6))
        far = max(float((large * values**2).sum() / max(large.sum(), 1e-12)), least)
        rest = max(float(((1 - large) * values**2).sum() / max((1 - large).sum(), 1e-12)), least)
    return share, far**0.5, rest**0.5
