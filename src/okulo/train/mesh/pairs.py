"""Pairs to learn from: clean meshes, made or given, and what noise makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from okulo.algo.mesh.describe import describe, surface_of
from okulo.algo.mesh.estimate import noise_level
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.shapes import CAD, blob, part
from okulo.algo.mesh.topology import Topology, face_shapes, topology
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.core.protocols import Progress, silent
from okulo.io.meshes import SUFFIXES, join_same_points, read_mesh

KINDS = {"along-normal": 0.6, "gaussian": 0.25, "scanner": 0.1, "impulsive": 0.05}
"""Kinds of noise and how often each is taken."""

LEVELS = (0.05, 0.4)


@dataclass(frozen=True)
class Pair:
    """A noisy mesh, what the filters say of it, and the true normals."""

    name: str
    mesh: Mesh
    near: Topology
    described: Float32[np.ndarray, "f k 3"]
    truth: Float64[np.ndarray, "f 3"]
    surface: Float32[np.ndarray, " s"]
    """What the mesh as a whole is like (`surface_of`)."""


def make_pair(clean: Mesh, kind: str, level: float, name: str, rng: np.random.Generator) -> Pair:
    """Spoil a clean mesh and describe the result."""
    near = topology(clean)
    noisy = add_noise(clean, kind, level, rng)
    truth = face_shapes(clean.vertices, clean.faces).normals
    described = describe(noisy, near)
    return Pair(name, noisy, near, described, truth, surface_of(described, noise_level(noisy, near)))


def clean_shape(index: int, faces: int, scans: Sequence[Path], rng: np.random.Generator) -> tuple[str, Mesh]:
    """Make the clean mesh number `index`: machine parts, blobs smooth and rough, pieces of scans in turn."""
    kinds = ["part", "blob", "part", "rough", *(["scan"] * 2 if scans else ["rough"])]
    kind = kinds[index % len(kinds)]
    if kind == "scan":
        path = scans[int(rng.integers(len(scans)))]
        return path.stem, piece(join_same_points(read_mesh(path))[0], faces, rng)
    if kind == "part":
        name = str(rng.choice(sorted(CAD)))
        step = 0.05
        state = rng.bit_generator.state
        for _ in range(2):
            rng.bit_generator.state = state
            step *= (len(part(rng, step, name)) / faces) ** 0.5
        rng.bit_generator.state = state
        return name, part(rng, step, name)
    subdivisions = int(np.clip(round(np.log(faces / 20) / np.log(4)), 2, 7))
    return kind, blob(rng, subdivisions, float(rng.uniform(0.2, 0.8)) if kind == "rough" else 0.0)


def piece(mesh: Mesh, faces: int, rng: np.random.Generator) -> Mesh:
    """Cut about `faces` faces around one place out of a mesh."""
    if len(mesh.faces) <= faces:
        return mesh
    centres = face_shapes(mesh.vertices, mesh.faces).centres
    far = ((centres - centres[rng.integers(len(centres))]) ** 2).sum(axis=1)
    used, places = np.unique(mesh.faces[np.argsort(far)[:faces]], return_inverse=True)
    return Mesh(mesh.vertices[used], places.reshape(-1, 3).astype(np.int32))


def make_pairs(
    count: int, faces: int, scans: Sequence[Path], rng: np.random.Generator, progress: Progress = silent
) -> list[Pair]:
    """Make `count` pairs of about `faces` faces each, every kind of shape and noise among them."""
    made = []
    for index in progress(range(count), label="making pairs"):
        size = int(faces * np.exp(rng.uniform(-1, 0.7)))
        name, clean = clean_shape(index, size, scans, rng)
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        made.append(make_pair(clean, kind, float(rng.uniform(*LEVELS)), name, rng))
    return made


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
