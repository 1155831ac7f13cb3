"""What each learned method takes of a described mesh, in pieces that fit into memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from okulo.algo.mesh.describe import Senses
from okulo.algo.mesh.feed_kernels import (
    cluster_links,
    clusters,
    differences,
    even_faces,
    grow_patches,
    padded_rings,
    patch_links,
    voxels,
)
from okulo.algo.mesh.normals import neighbour_distance
from okulo.algo.mesh.order import curve_order
from okulo.algo.mesh.topology import FaceShapes, Topology, face_shapes, topology
from okulo.core.nouns import Mesh

ROWS = 1_024
"""Faces in one piece, of networks that answer face by face."""

WHOLE = 16_384
"""Faces in one piece of the facet graph; a mesh of up to twice as many is not cut."""

RING = 12
HALO = 8
"""Rings of faces around a piece of the graph that are shown but not answered for."""

PATCH = 64
"""Faces in a patch."""

AT_ONCE = 64
"""Patches in one piece."""

LINKS = 8
SIDE = 8
LEAST = 1e-5
"""Added to squared differences: their root stays smooth at 0."""

CELL = 0.8
"""Side of a voxel, in mean distances between neighbouring faces."""


@dataclass(frozen=True)
class Described:
    """A mesh and what the filters say of it."""

    mesh: Mesh
    near: Topology
    normals: Float32[np.ndarray, "f k 3"]
    context: Float32[np.ndarray, "f c"]
    """How much the telling filters differ around each face, at every scale."""
    surface: Float32[np.ndarray, " s"]
    """The noise level, and how much they differ over the whole mesh."""


def put_together(
    mesh: Mesh, near: Topology, normals: Float32[np.ndarray, "f k 3"], senses: Senses, noise: float
) -> Described:
    """Add to a description (`describe`) what is around each face.

    Args:
        mesh: the mesh.
        near: its neighbours.
        normals: what the filters make of it.
        senses: which filters, and which differences tell.
        noise: its estimated level, in mean edge lengths.
    """
    first, second = (
        np.array([senses.filters.index(pair[k]) for pair in senses.telling], np.int64) for k in (0, 1)
    )
    apart = differences(normals, first, second)
    surface = np.concatenate([[4 * noise], np.sqrt(apart.mean(axis=0) + LEAST)]).astype(np.float32)
    context = np.empty((len(apart), len(first) * len(senses.scales)), np.float32)
    done = 0
    for place, scale in enumerate(senses.scales):
        apart = even_faces(apart, near.across, scale - done)
        done = scale
        context[:, place * len(first) : (place + 1) * len(first)] = np.sqrt(apart + np.float32(LEAST))
    return Described(mesh, near, normals, context, surface)


@dataclass(frozen=True)
class Feed:
    """One piece: the network's inputs; its answer row i is for face `faces[i]`, and counts if `counts[i]`."""

    inputs: dict[str, np.ndarray]
    faces: Int64[np.ndarray, " n"]
    counts: Bool[np.ndarray, " n"]


def face_feeds(said: Described) -> Iterator[Feed]:
    """Faces by themselves."""
    for first in range(0, len(said.normals), ROWS):
        rows = np.arange(first, min(first + ROWS, len(said.normals)))
        yield Feed(_of_faces(said, rows), rows, np.ones(len(rows), np.bool_))


def _of_faces(said: Described, rows: Int64[np.ndarray, "..."]) -> dict[str, np.ndarray]:
    return {"described": said.normals[rows], "context": said.context[rows], "surface": said.surface}


def graph_feeds(said: Described) -> Iterator[Feed]:
    """Pieces of the facet graph with their surroundings, and the same once coarser."""
    count = len(said.normals)
    if count <= 2 * WHOLE:
        yield _graph_feed(said, np.arange(count), np.ones(count, np.bool_))
        return
    order = curve_order(face_shapes(said.mesh.vertices, said.mesh.faces).centres)
    for first in range(0, count, WHOLE):
        core = np.zeros(count, np.bool_)
        core[order[first : first + WHOLE]] = True
        shown = core
        for _ in range(HALO):
            grown = shown.copy()
            across = said.near.across[shown]
            grown[across[across >= 0]] = True
            shown = grown
        rows = np.flatnonzero(shown)
        yield _graph_feed(said, rows, core[rows])


def _graph_feed(said: Described, rows: Int64[np.ndarray, " n"], counts: Bool[np.ndarray, " n"]) -> Feed:
    near = said.near
    if len(rows) < len(said.normals):
        near = topology(Mesh(said.mesh.vertices, np.ascontiguousarray(said.mesh.faces[rows])))
    parent, members = clusters(near.across)
    inputs = {
        **_of_faces(said, rows),
        "ring": padded_rings(np.arange(len(rows)), near.ring_start, near.ring, RING),
        "parent": parent,
        "members": members,
        "coarse": cluster_links(parent, members, near.across, RING),
    }
    return Feed(inputs, rows, counts)


def patch_feeds(said: Described) -> Iterator[Feed]:
    """Overlapping patches of `PATCH` faces; a face's answers in several patches are averaged."""
    near = said.near
    patches, real = grow_patches(near.ring_start, near.ring, PATCH, len(said.normals))
    for first in range(0, len(patches), AT_ONCE):
        chosen, held = patches[first : first + AT_ONCE], real[first : first + AT_ONCE]
        links = patch_links(chosen, held, near.ring_start, near.ring, LINKS)
        inputs = {**_of_faces(said, chosen), "links": links}
        yield Feed(inputs, chosen.reshape(-1), (np.arange(PATCH) < held[:, None]).reshape(-1))


def voxel_feeds(said: Described) -> Iterator[Feed]:
    """Faces with a grid of what lies around each."""
    shapes = face_shapes(said.mesh.vertices, said.mesh.faces)
    cell = CELL * neighbour_distance(shapes, said.near)
    for first in range(0, len(said.normals), ROWS):
        rows = np.arange(first, min(first + ROWS, len(said.normals)))
        yield _voxel_feed(said, shapes, cell, rows)


def _voxel_feed(said: Described, shapes: FaceShapes, cell: float, rows: Int64[np.ndarray, " n"]) -> Feed:
    """Make the grids of some faces, in the frames of their normal tensors."""
    areas = shapes.areas / (float(shapes.areas.mean()) or 1.0)
    frames = tensor_frames(said.near, rows, shapes.normals, areas)
    grids = voxels(
        rows, frames, shapes.centres, areas, shapes.normals, said.near.ring_start, said.near.ring, cell, SIDE
    )
    return Feed({**_of_faces(said, rows), "volume": grids}, rows, np.ones(len(rows), np.bool_))


def tensor_frames(
    near: Topology,
    rows: Int64[np.ndarray, " n"],
    normals: Float64[np.ndarray, "f 3"],
    areas: Float64[np.ndarray, " f"],
) -> Float64[np.ndarray, "n 3 3"]:
    """Eigenvectors of each face's normal tensor (Σ area n nᵀ over its ring): rows x, y, outwards z."""
    around = np.column_stack([padded_rings(rows, near.ring_start, near.ring, RING), rows])
    tensors = np.einsum("ij,ijk,ijl->ikl", areas[around], normals[around], normals[around])
    _, vectors = np.linalg.eigh(tensors + 1e-12 * np.eye(3))
    frames = vectors.transpose(0, 2, 1)
    mean = np.einsum("ij,ijk->ik", areas[around], normals[around])
    frames[:, 2] *= np.where(np.einsum("ij,ij->i", frames[:, 2], mean) < 0, -1.0, 1.0)[:, None]
    frames[:, 1] = np.cross(frames[:, 2], frames[:, 0])
    return frames


FEEDS: dict[str, Callable[[Described], Iterator[Feed]]] = {
    "cascade": face_feeds,
    "graph": graph_feeds,
    "patch": patch_feeds,
    "guide": voxel_feeds,
}
"""The learned methods' names, and what each takes."""
