"""Who touches whom on a triangle mesh, worked out once and used by every filter."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int32, Int64

from okulo.algo.graphs import connected_components
from okulo.algo.mesh.topology_kernels import (
    faces_across_edges,
    faces_of_vertices,
    fill_rings,
    ring_sizes,
    shape_of_faces,
)
from okulo.core.nouns import Mesh

HUB = 64
"""A vertex with more faces than this (the tip of a fan) makes no neighbours: there would be too many."""


@dataclass(frozen=True)
class Topology:
    """The neighbours on a mesh; they stay as they are while vertices move.

    `start`, `incident`: faces around vertex v are `incident[start[v]:start[v + 1]]`.
    `across[i, k]`: the face across edge k (corner k to k + 1) of face i; -1 boundary, -2 three or more faces.
    `ring_start`, `ring`: the faces that share a vertex with face i, itself left out.

    Rings are found when they are first asked for: 40 bytes a face without them, 100 with them.
    """

    faces: Int32[np.ndarray, "f 3"]
    start: Int32[np.ndarray, " s"]
    incident: Int32[np.ndarray, " i"]
    across: Int32[np.ndarray, "f 3"]

    @cached_property
    def ring_start(self) -> Int64[np.ndarray, " g"]:
        """Where each face's neighbours begin in `ring`."""
        found = np.zeros(len(self.faces) + 1, np.int64)
        np.cumsum(ring_sizes(self.faces, self.start, self.incident, HUB), out=found[1:])
        return found

    @cached_property
    def ring(self) -> Int32[np.ndarray, " r"]:
        """Neighbours of all faces, one face's after the other's."""
        found = np.empty(self.ring_start[-1], np.int32)
        fill_rings(self.faces, self.start, self.incident, HUB, self.ring_start, found)
        return found

    def edges(self) -> Int32[np.ndarray, "e 4"]:
        """List the edges two faces share, once each: its two vertices and its two faces."""
        face, corner = np.nonzero(self.across > np.arange(len(self.faces), dtype=np.int32)[:, None])
        ends = self.faces[face, corner], self.faces[face, (corner + 1) % 3]
        return np.column_stack([*ends, face.astype(np.int32), self.across[face, corner]]).astype(np.int32)


def topology(mesh: Mesh) -> Topology:
    """Find the neighbours of a mesh's vertices and faces.

    >>> square = Mesh(np.eye(4, 3), np.int32([[0, 1, 2], [0, 2, 3]]))
    >>> topology(square).across
    array([[-1, -1,  1],
           [ 0, -1, -1]], dtype=int32)
    """
    start, incident = faces_of_vertices(mesh.faces, len(mesh.vertices))
    return Topology(mesh.faces, start, incident, faces_across_edges(mesh.faces, start, incident))


def even_out(
    values: Float64[np.ndarray, " v"], edges: Int32[np.ndarray, "e 4"], turns: int
) -> Float64[np.ndarray, " v"]:
    """Average a number of every vertex with its neighbours', again and again; `edges` as `Topology.edges()`.

    >>> even_out(np.array([3.0, 0.0, 5.0]), np.int32([[0, 1, 0, 0]]), 1).tolist()
    [1.5, 1.5, 5.0]
    """
    count = np.bincount(edges[:, :2].reshape(-1), minlength=len(values)) + 1
    for _ in range(turns):
        total = values.copy()
        for a, b in ((0, 1), (1, 0)):
            total += np.bincount(edges[:, a], values[edges[:, b]], len(values))
        values = total / count
    return values


@dataclass(frozen=True)
class FaceShapes:
    """Unit normals (0 for a face without area), areas and centroids of a mesh's faces."""

    normals: Float64[np.ndarray, "f 3"]
    areas: Float64[np.ndarray, " f"]
    centres: Float64[np.ndarray, "f 3"]


def face_shapes(vertices: Float64[np.ndarray, "v 3"], faces: Int32[np.ndarray, "f 3"]) -> FaceShapes:
    """Compute normals, areas and centroids.

    >>> corner = face_shapes(np.array([[0.0, 0, 0], [2, 0, 0], [0, 2, 0]]), np.int32([[0, 1, 2]]))
    >>> corner.normals.tolist(), corner.areas.tolist()
    ([[0.0, 0.0, 1.0]], [2.0])
    """
    return FaceShapes(*shape_of_faces(vertices, faces))


def mean_edge_length(mesh: Mesh) -> float:
    """Average the lengths of the faces' sides, the unit in which noise and distances are said.

    >>> mean_edge_length(Mesh(np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]]), np.int32([[0, 1, 2]])))
    4.0
    """
    if not len(mesh.faces):
        return 0.0
    corners = (mesh.vertices[mesh.faces[:, k]] for k in (0, 1, 2, 0))
    first, total = next(corners), 0.0
    for second in corners:
        total += float(np.sqrt(((second - first) ** 2).sum(axis=1)).mean())
        first = second
    return total / 3


def volume(mesh: Mesh) -> float:
    """Enclosed volume by the divergence theorem, about the centroid; of an open mesh only a comparison.

    >>> corner = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> round(volume(Mesh(corner, np.int32([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))) * 6, 9)
    1.0
    """
    if not len(mesh.faces):
        return 0.0
    a, b, c = ((mesh.vertices - mesh.vertices.mean(axis=0))[mesh.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@dataclass(frozen=True)
class Defects:
    """What is unusual about a mesh; nothing of it is mended, all of it is kept."""

    components: int
    boundary_edges: int
    nonmanifold_edges: int
    degenerate_faces: int
    unused_vertices: int


def find_defects(mesh: Mesh, near: Topology) -> Defects:
    """Count components, open edges, edges of three faces or more, faces without area, unused vertices."""
    used = np.diff(near.start) > 0
    pairs = np.concatenate([mesh.faces[:, :2], mesh.faces[:, 1:]])
    numbers = connected_components(len(mesh.vertices), pairs)
    distinct = (
        (mesh.faces[:, 0] != mesh.faces[:, 1])
        & (mesh.faces[:, 1] != mesh.faces[:, 2])
        & (mesh.faces[:, 0] != mesh.faces[:, 2])
    )
    face, corner = np.nonzero((near.across == -2) & distinct[:, None])
    ends = np.sort(np.column_stack([mesh.faces[face, corner], mesh.faces[face, (corner + 1) % 3]]), axis=1)
    return Defects(
        components=len(np.unique(numbers[used])),
        boundary_edges=int((near.across[distinct] == -1).sum()),
        nonmanifold_edges=len(np.unique(ends, axis=0)),
        degenerate_faces=int((face_shapes(mesh.vertices, mesh.faces).areas == 0).sum()),
        unused_vertices=int((~used).sum()),
    )
