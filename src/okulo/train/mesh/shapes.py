"""Clean meshes to learn from: machine parts, blobs smooth and rough, pieces of scans, molten or roughened."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from okulo.algo.mesh.noise import vertex_normals
from okulo.algo.mesh.shapes import CAD, blob, part
from okulo.algo.mesh.smooth import laplacian, taubin
from okulo.algo.mesh.topology import even_out, face_shapes, mean_edge_length, topology
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.io.meshes import SUFFIXES, join_same_points, read_mesh

TURNS = ("part", "blob", "scan", "part", "rough", "scan")
"""Kinds of shapes, one after another: half of them machine parts where scans are of both kinds."""

MOLTEN = 0.25
ROUGHENED = 0.2
"""Shares of scans that are smoothed, or given more detail, before they count as clean."""


def clean_shape(index: int, faces: int, scans: Sequence[Path], rng: np.random.Generator) -> tuple[str, Mesh]:
    """Make the clean mesh number `index`; without scans a rough blob takes their place."""
    kind = TURNS[index % len(TURNS)]
    if kind == "part":
        return _part(faces, rng)
    if kind == "scan" and scans:
        path = scans[int(rng.integers(len(scans)))]
        name, mesh = path.stem, piece(join_same_points(read_mesh(path))[0], faces, rng)
    else:
        name = "blob" if kind == "blob" else "rough"
        level = round(np.log(faces / 20) / np.log(4)) + int(rng.integers(3))
        made = blob(rng, int(np.clip(level, 2, 7)), float(rng.uniform(0.15, 0.8)) if name == "rough" else 0.0)
        mesh = piece(made, faces, rng)
    chance = rng.random()
    if name == "blob" or chance > MOLTEN + ROUGHENED:
        return name, mesh
    return name, melt(mesh, rng) if chance < MOLTEN else roughen(mesh, rng)


def _part(faces: int, rng: np.random.Generator) -> tuple[str, Mesh]:
    name, step = str(rng.choice(sorted(CAD))), 0.05
    state = rng.bit_generator.state
    for _ in range(2):  # faces go with the square of the step: two guesses come near
        rng.bit_generator.state = state
        step *= (len(part(rng, step, name)) / faces) ** 0.5
    rng.bit_generator.state = state
    return name, part(rng, step, name)


def melt(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Smooth a mesh more or less: the same form with less detail."""
    near = topology(mesh)
    if rng.random() < 0.6:
        return taubin(mesh, near, int(rng.choice([3, 10, 30])))
    return laplacian(mesh, near, int(rng.choice([1, 2, 4])))


def roughen(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Push vertices in and out by 0.05 to 0.5 edges, neighbours alike: detail finer or coarser."""
    turns = int(rng.choice([3, 4, 6, 10, 16]))
    heights = even_out(rng.normal(size=len(mesh.vertices)), topology(mesh).edges(), turns)
    heights *= rng.uniform(0.05, 0.5) * mean_edge_length(mesh) / max(float(heights.std()), 1e-12)
    return Mesh(mesh.vertices + heights[:, None] * vertex_normals(mesh), mesh.faces)


def piece(mesh: Mesh, faces: int, rng: np.random.Generator) -> Mesh:
    """Cut about `faces` faces around one place out of a mesh."""
    if len(mesh.faces) <= faces:
        return mesh
    centres = face_shapes(mesh.vertices, mesh.faces).centres
    far = ((centres - centres[rng.integers(len(centres))]) ** 2).sum(axis=1)
    used, places = np.unique(mesh.faces[np.argsort(far)[:faces]], return_inverse=True)
    return Mesh(mesh.vertices[used], places.reshape(-1, 3).astype(np.int32))


def find_scans(folder: Path | None) -> list[Path]:
    """List the mesh files of a folder; none at all is BadInput."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise BadInput(str(folder), "is no folder of clean meshes")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise BadInput(str(folder), wanted="clean meshes (.ply, .obj, .off, .stl, .glb)", got="none")
    return found
