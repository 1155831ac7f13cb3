"""Noise as scanners and papers make it; its size is a fraction of the mean edge length."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from okulo.algo.mesh.topology import even_out, face_shapes, mean_edge_length, topology
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh

Displace = Callable[[Mesh, float, np.random.Generator], Float64[np.ndarray, "v 3"]]


def vertex_normals(mesh: Mesh) -> Float64[np.ndarray, "v 3"]:
    """Average the normals of the faces around each vertex, weighed by area; 0 where there is none.

    >>> vertex_normals(Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]])))[0]
    array([0., 0., 1.])
    """
    shapes = face_shapes(mesh.vertices, mesh.faces)
    weighed = shapes.normals * shapes.areas[:, None]
    total = np.zeros_like(mesh.vertices)
    for corner in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(mesh.faces[:, corner], weighed[:, axis], len(total))
    sizes = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(np.divide(total, sizes, out=np.zeros_like(total), where=sizes > 0))


def gaussian(mesh: Mesh, size: float, rng: np.random.Generator) -> Float64[np.ndarray, "v 3"]:
    """Move every vertex in any direction, each coordinate by N(0, size)."""
    return rng.normal(0, size, mesh.vertices.shape)


def along_normal(mesh: Mesh, size: float, rng: np.random.Generator) -> Float64[np.ndarray, "v 3"]:
    """Move every vertex along its normal by N(0, size), as the papers' standard pairs are made."""
    return vertex_normals(mesh) * rng.normal(0, size, (len(mesh.vertices), 1))


def impulsive(mesh: Mesh, size: float, rng: np.random.Generator) -> Float64[np.ndarray, "v 3"]:
    """Move a fifth of the vertices along their normals by N(0, 3 size / 2), the others not at all."""
    hit = rng.random((len(mesh.vertices), 1)) < 0.2
    return vertex_normals(mesh) * rng.normal(0, 1.5 * size, (len(mesh.vertices), 1)) * hit


def scanner(mesh: Mesh, size: float, rng: np.random.Generator) -> Float64[np.ndarray, "v 3"]:
    """Move vertices along one line of sight, more where the surface is seen at a flat angle.

    Half of the displacement is correlated between neighbours, as a scanner's stripes are: it is averaged
    twice over each vertex's neighbours and brought back to its size.
    """
    sight = rng.normal(size=3)
    sight /= np.linalg.norm(sight)
    facing = np.abs(vertex_normals(mesh) @ sight)
    spread = size / np.maximum(facing, 0.35) * 0.7
    white, stripes = rng.normal(size=(2, len(mesh.vertices)))
    stripes = even_out(stripes, topology(mesh).edges(), 2)
    stripes /= max(float(stripes.std()), 1e-12)
    return np.outer(spread * (white + stripes) * np.sqrt(0.5), sight)


NOISE: dict[str, Displace] = {
    "gaussian": gaussian,
    "along-normal": along_normal,
    "impulsive": impulsive,
    "scanner": scanner,
}
"""The kinds of noise, by name."""


def add_noise(mesh: Mesh, kind: str, level: float, rng: np.random.Generator) -> Mesh:
    """Spoil a mesh with noise of `level` × mean edge length; the faces stay as they are.

    >>> square = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]]))
    >>> add_noise(square, "along-normal", 0.2, np.random.default_rng(0)).vertices[:, :2].tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    if kind not in NOISE:
        raise BadInput("noise", wanted=f"one of {', '.join(NOISE)}", got=repr(kind))
    moved = NOISE[kind](mesh, level * mean_edge_length(mesh), rng)
    return Mesh(mesh.vertices + moved, mesh.faces)
