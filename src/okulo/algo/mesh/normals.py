"""Filters of face normals: bilateral (local and global), guided; and the vertices that follow them."""

import numpy as np
from jaxtyping import Float64

from okulo.algo.mesh.normal_kernels import closeness, follow, guidance, joint_bilateral, patches, unfold
from okulo.algo.mesh.smooth import border_vertices
from okulo.algo.mesh.topology import FaceShapes, Topology
from okulo.core.nouns import Mesh


def neighbour_distance(shapes: FaceShapes, near: Topology) -> float:
    """Average the distance between the centres of faces that share an edge: the reach of the filters."""
    face, corner = np.nonzero(near.across >= 0)
    if not len(face):
        return 1.0
    apart = shapes.centres[face] - shapes.centres[near.across[face, corner]]
    return float(np.sqrt((apart**2).sum(axis=1)).mean()) or 1.0


def ring_weights(shapes: FaceShapes, near: Topology, reach: float) -> np.ndarray:
    """Weigh each face's neighbours by area and distance; areas relative to their mean, float32 `(r,)`."""
    typical = float(shapes.areas.mean()) or 1.0
    distance = neighbour_distance(shapes, near) * reach
    weights: np.ndarray = closeness(
        shapes.centres, shapes.areas / typical, near.ring_start, near.ring, distance
    )
    return weights


def bilateral_normals(
    shapes: FaceShapes, near: Topology, sigma: float, iterations: int, reach: float = 1.0
) -> Float64[np.ndarray, "f 3"]:
    """Bilateral normal filtering, local scheme of Zheng 2011 (section 3.1): similar normals are averaged.

    Args:
        shapes: of the noisy mesh.
        near: its neighbours; those that share a vertex take part.
        sigma: how different normals (length of the difference of unit vectors) may be.
        iterations: how often.
        reach: spatial sigma, in mean distances between neighbouring faces.
    """
    weights = ring_weights(shapes, near, reach)
    areas = shapes.areas / (float(shapes.areas.mean()) or 1.0)
    normals = shapes.normals
    for _ in range(iterations):
        normals = joint_bilateral(normals, normals, areas, near.ring_start, near.ring, weights, sigma)
    return normals


def guide_normals(
    normals: Float64[np.ndarray, "f 3"], areas: Float64[np.ndarray, " f"], near: Topology
) -> Float64[np.ndarray, "f 3"]:
    """Guidance of Zhang 2015 (section 4.1): the mean normal of the evenest patch a face belongs to."""
    uneven, mean = patches(normals, areas, near.across, near.ring_start, near.ring)
    guide: Float64[np.ndarray, "f 3"] = guidance(uneven, mean, near.ring_start, near.ring)
    return guide


def guided_normals(
    shapes: FaceShapes, near: Topology, sigma: float, iterations: int, reach: float = 1.0
) -> Float64[np.ndarray, "f 3"]:
    """Guided normal filtering of Zhang 2015: a joint bilateral filter led by the evenest patches' normals."""
    weights = ring_weights(shapes, near, reach)
    areas = shapes.areas / (float(shapes.areas.mean()) or 1.0)
    normals = shapes.normals
    for _ in range(iterations):
        guide = guide_normals(normals, areas, near)
        normals = joint_bilateral(normals, guide, areas, near.ring_start, near.ring, weights, sigma)
    return normals


def follow_normals(
    mesh: Mesh,
    near: Topology,
    normals: Float64[np.ndarray, "f 3"],
    iterations: int,
    unfolding: bool = True,
) -> Mesh:
    """Move vertices until faces have these normals (Sun 2007, section 4); faces without a normal follow.

    Moving along normals cannot turn a face back that noise has folded over; `unfolding` lets its vertices
    slide within the surface in the first half of the iterations (not in the paper).
    """
    vertices = mesh.vertices
    border = border_vertices(mesh, near) if unfolding else np.empty(0, np.bool_)
    for turn in range(iterations):
        if unfolding and turn < iterations / 2:
            vertices = unfold(vertices, mesh.faces, normals, border, near.start, near.incident)
        vertices = follow(vertices, mesh.faces, normals, near.start, near.incident)
    return Mesh(vertices, mesh.faces)


def led_normals(
    shapes: FaceShapes,
    near: Topology,
    guide: Float64[np.ndarray, "f 3"],
    sigma: float = 0.25,
    iterations: int = 10,
) -> Float64[np.ndarray, "f 3"]:
    """Joint bilateral filter of the noisy normals, led by guidance normals from elsewhere."""
    weights = ring_weights(shapes, near, 1.0)
    areas = shapes.areas / (float(shapes.areas.mean()) or 1.0)
    normals = shapes.normals
    for _ in range(iterations):
        normals = joint_bilateral(normals, guide, areas, near.ring_start, near.ring, weights, sigma)
    return normals
