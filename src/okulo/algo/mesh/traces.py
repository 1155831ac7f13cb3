"""What several filters leave and take of one mesh: numbers that tell how near each came, with no truth."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int32

from okulo.algo.mesh.estimate import bilaplacian_heights, inner_vertices, likeness
from okulo.algo.mesh.measure import SHARP_DEG, angles_deg
from okulo.algo.mesh.noise import vertex_normals
from okulo.algo.mesh.smooth import laplacian
from okulo.algo.mesh.topology import Topology, even_out, face_shapes, mean_edge_length
from okulo.core.nouns import Mesh


def traces(noisy: Mesh, near: Topology, made: Sequence[Mesh]) -> Float64[np.ndarray, " n"]:
    """Describe what filters made of a mesh: how far they are apart, what each left and took.

    All of it is free of scale, place and direction. Lengths are in mean edge lengths, angles in degrees;
    sizes are logarithms, so that a forecast can be linear in them.

    >>> from okulo.algo.mesh.shapes import sphere
    >>> from okulo.algo.mesh.topology import topology
    >>> ball = sphere(2)
    >>> traces(ball, topology(ball), [ball, ball]).shape == (1 + 2 * 12 + 4,)
    True
    """
    edges = near.edges()
    normals = np.stack([face_shapes(each.vertices, each.faces).normals for each in made])
    inside = inner_vertices(noisy, near)
    length = mean_edge_length(noisy) or 1.0
    outwards = vertex_normals(laplacian(noisy, near, 3))
    heights = [np.einsum("ij,ij->i", noisy.vertices - each.vertices, outwards) / length for each in made]
    found = [
        apart(normals),
        *(left_of(each, edges) for each in normals),
        *(taken_of(each, edges, inside) for each in heights),
        roughness(noisy, near),
    ]
    return np.concatenate(found)


def apart(normals: Float64[np.ndarray, "k f 3"]) -> Float64[np.ndarray, " p"]:
    """Logarithm of the root of the mean squared difference of normals, in degrees, for every pair of answers.

    >>> apart(np.array([[[0.0, 0, 1]], [[0.0, 1, 0]]])).round(3).tolist()
    [4.395]
    """
    flat = normals.reshape(len(normals), -1)
    alike = flat @ flat.T / max(normals.shape[1], 1)
    own = np.diag(alike)
    squared = np.maximum(own[:, None] + own - 2 * alike, 0.0)[np.triu_indices(len(normals), 1)]
    return np.asarray(np.log(np.degrees(np.sqrt(squared)) + 0.05))


def left_of(
    normals: Float64[np.ndarray, "f 3"], edges: Int32[np.ndarray, "e 4"]
) -> Float64[np.ndarray, " 6"]:
    """How bent a surface is: the mean angle at its edges, four quantiles, and the share of sharp edges."""
    bent = angles_deg(normals[edges[:, 2]], normals[edges[:, 3]]) if len(edges) else np.zeros(1)
    total = float(bent.sum())
    sharp = float(bent[bent >= SHARP_DEG].sum()) / total if total else 0.0
    sizes = np.array([bent.mean(), *np.quantile(bent, (0.25, 0.5, 0.9, 0.97))])
    return np.array([*np.log(sizes + 0.05), sharp])


def taken_of(
    heights: Float64[np.ndarray, " v"], edges: Int32[np.ndarray, "e 4"], inside: Bool[np.ndarray, " v"]
) -> Float64[np.ndarray, " 6"]:
    """What was taken away along the normals: its size, how even that is, and how alike neighbours are."""
    taken = heights * inside
    count = max(int(inside.sum()), 1)
    power = float((taken**2).sum()) / count + 1e-8
    middle = float(np.median(np.abs(taken[inside]))) / 0.6745 if inside.any() else 0.0
    heavy = float((taken**4).sum()) / count / power**2
    little = even_out(taken, edges, 2)
    much = even_out(little, edges, 6)
    shares = [float((each**2).sum()) / count / power for each in (little, much)]
    return np.array(
        [
            np.log(power) / 2,
            np.log(middle + 1e-3),
            np.log(heavy + 0.1),
            likeness(taken, edges, inside),
            *np.log(np.array(shares) + 1e-3),
        ]
    )


def roughness(noisy: Mesh, near: Topology) -> Float64[np.ndarray, " 4"]:
    """How uneven a mesh is by itself: median, size and tails of its bi-Laplacian heights; count of faces."""
    heights = bilaplacian_heights(noisy, near) / (mean_edge_length(noisy) or 1.0)
    if not len(heights):
        return np.zeros(4)
    power = float((heights**2).mean()) + 1e-8
    return np.array(
        [
            np.log(float(np.median(np.abs(heights))) / 0.6745 + 1e-3),
            np.log(power) / 2,
            np.log(float((heights**4).mean()) / power**2 + 0.1),
            np.log(len(noisy.faces) + 1.0),
        ]
    )
