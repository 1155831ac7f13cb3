"""How near a mesh is to the truth: normals, distance, sharp edges, volume."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial import cKDTree

from okulo.algo.mesh.measure_kernels import to_nearest
from okulo.algo.mesh.topology import Topology, face_shapes, mean_edge_length, volume
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh

SHARP_DEG = 30.0
"""From this angle between its faces' normals on an edge counts as sharp."""


def angles_deg(a: Float64[np.ndarray, "n 3"], b: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, " n"]:
    """Angle between unit vectors, row by row, in degrees.

    >>> angles_deg(np.array([[1.0, 0, 0]]), np.array([[0.0, 1, 0]])).tolist()
    [90.0]
    """
    # By the half chord: the arc cosine cannot tell small angles.
    apart, along = np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1)
    return np.asarray(np.degrees(2 * np.arctan2(apart, along)))


def normal_errors_deg(mesh: Mesh, truth: Mesh) -> Float64[np.ndarray, " f"]:
    """Angle between each face's normal and that of the same face of the truth; faces without area count 0."""
    if mesh.faces.shape != truth.faces.shape or not np.array_equal(mesh.faces, truth.faces):
        raise BadInput(
            "truth", "has other faces than the mesh", hint="errors of normals are taken face by face"
        )
    mine, true = (face_shapes(each.vertices, each.faces).normals for each in (mesh, truth))
    known = mine.any(axis=1) & true.any(axis=1)
    return np.where(known, angles_deg(mine, true), 0.0)


def surface_distances(
    points: Float64[np.ndarray, "n 3"], surface: Mesh, near: int = 12
) -> Float64[np.ndarray, " n"]:
    """Distance of each point to a surface: to the best of the `near` faces whose centres are nearest.

    >>> square = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]]))
    >>> surface_distances(np.array([[0.2, 0.2, 0.5], [2.0, 0.0, 0.0]]), square).tolist()
    [0.5, 1.0]
    """
    shapes = face_shapes(surface.vertices, surface.faces)
    tree = cKDTree(shapes.centres)
    _, found = tree.query(points, k=min(near, len(surface.faces)), workers=-1)
    candidates = np.asarray(found).reshape(len(points), -1)
    distances: Float64[np.ndarray, " n"] = to_nearest(points, surface.vertices, surface.faces, candidates)
    return distances


def edge_angles_deg(mesh: Mesh, near: Topology) -> Float64[np.ndarray, " e"]:
    """Angle between the normals of the two faces of each edge."""
    normals = face_shapes(mesh.vertices, mesh.faces).normals
    edges = near.edges()
    return angles_deg(normals[edges[:, 2]], normals[edges[:, 3]])


@dataclass(frozen=True, kw_only=True)
class MeshErrors:
    """How far a mesh is from the truth with the same faces."""

    normals_deg: float
    """Mean angle between the normals of a face and of its truth."""
    distance: float
    """Mean distance of the vertices to the true surface, in its mean edge lengths."""
    sharp_edges_deg: float | None
    """Mean error of the angle at edges that are truly sharp (30° or more); None: there are none."""
    volume_change: float
    """Volume against the truth's: -0.01 is one per cent lost."""


def measure(mesh: Mesh, truth: Mesh, near: Topology) -> MeshErrors:
    """Compare a mesh with the truth it was spoiled from."""
    true_angles = edge_angles_deg(truth, near)
    sharp = true_angles >= SHARP_DEG
    off = np.abs(edge_angles_deg(mesh, near) - true_angles)[sharp]
    true_volume = volume(truth)
    return MeshErrors(
        normals_deg=float(normal_errors_deg(mesh, truth).mean()),
        distance=float(surface_distances(mesh.vertices, truth).mean() / (mean_edge_length(truth) or 1.0)),
        sharp_edges_deg=float(off.mean()) if sharp.any() else None,
        volume_change=volume(mesh) / true_volume - 1 if true_volume else 0.0,
    )
