"""What learned methods see of each face: the normals that the classic filters would give it."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float32, Float64

from okulo.algo.mesh.l0 import l0
from okulo.algo.mesh.normals import bilateral_normals, guided_normals
from okulo.algo.mesh.smooth import bilateral_vertices, laplacian, taubin
from okulo.algo.mesh.topology import FaceShapes, Topology, face_shapes
from okulo.core.nouns import Mesh

Normals = Float64[np.ndarray, "f 3"]
Filter = Callable[[Mesh, FaceShapes, Topology], np.ndarray]


def _bilateral(sigma: float, iterations: int) -> Filter:
    return lambda mesh, shapes, near: bilateral_normals(shapes, near, sigma, iterations)


def _guided(sigma: float, iterations: int) -> Filter:
    return lambda mesh, shapes, near: guided_normals(shapes, near, sigma, iterations)


def _moved(move: Callable[[Mesh, Topology], Mesh]) -> Filter:
    return lambda mesh, shapes, near: face_shapes(move(mesh, near).vertices, mesh.faces).normals


QUICK: dict[str, Filter] = {
    "bilateral 0.25 40": _bilateral(0.25, 40),
    "bilateral 0.45 10": _bilateral(0.45, 10),
    "bilateral 0.45 20": _bilateral(0.45, 20),
    "bilateral 0.6 5": _bilateral(0.6, 5),
    "bilateral 0.6 20": _bilateral(0.6, 20),
    "guided 0.25 50": _guided(0.25, 50),
    "guided 0.35 20": _guided(0.35, 20),
    "guided 0.6 5": _guided(0.6, 5),
    "guided 0.6 20": _guided(0.6, 20),
    "laplacian 1": _moved(lambda mesh, near: laplacian(mesh, near, 1)),
    "laplacian 2": _moved(lambda mesh, near: laplacian(mesh, near, 2)),
    "laplacian 5": _moved(lambda mesh, near: laplacian(mesh, near, 5)),
    "taubin 10": _moved(lambda mesh, near: taubin(mesh, near, 10)),
    "taubin 30": _moved(lambda mesh, near: taubin(mesh, near, 30)),
    "vertices 0.6 5": _moved(lambda mesh, near: bilateral_vertices(mesh, near, 5, 0.6)),
}
"""Filters that take little time; the later stages of a cascade use them again."""

SLOW: dict[str, Filter] = {
    "l0 0.1": _moved(lambda mesh, near: l0(mesh, near, 0.1, area_based=False)),
    "l0 0.2": _moved(lambda mesh, near: l0(mesh, near, 0.2, area_based=False)),
}
"""L0 minimisation: most of the time, and the best on machine parts."""

FILTERS = ("noisy", *QUICK, *SLOW)
"""What the vectors of `describe` are, in order."""

TELLING = (
    ("noisy", "bilateral 0.45 20"),
    ("laplacian 1", "laplacian 5"),
    ("guided 0.25 50", "taubin 30"),
    ("guided 0.25 50", "l0 0.2"),
    ("laplacian 2", "l0 0.2"),
)
"""Pairs of filters whose mean difference says what kind of surface it is."""


def describe(mesh: Mesh, near: Topology) -> Float32[np.ndarray, "f k 3"]:
    """Give every face its noisy normal and what each of `FILTERS` makes of it: filtered facet normal
    descriptors as Wang 2016 has them, more kinds of filters, in the mesh's own coordinates.

    >>> from okulo.algo.mesh.shapes import sphere
    >>> from okulo.algo.mesh.topology import topology
    >>> describe(sphere(1), topology(sphere(1))).shape
    (80, 18, 3)
    """
    return _described(mesh, near, {**QUICK, **SLOW})


def describe_again(
    mesh: Mesh, near: Topology, first: Float32[np.ndarray, "f k 3"]
) -> Float32[np.ndarray, "f k 3"]:
    """Describe a mesh that was denoised once: quick filters anew, the slow ones as they were at first."""
    return np.concatenate([_described(mesh, near, QUICK), first[:, len(QUICK) + 1 :]], axis=1)


def _described(mesh: Mesh, near: Topology, filters: dict[str, Filter]) -> Float32[np.ndarray, "f k 3"]:
    shapes = face_shapes(mesh.vertices, mesh.faces)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = list(pool.map(lambda each: each(mesh, shapes, near), filters.values()))
    return np.stack([shapes.normals, *found], axis=1).astype(np.float32)


def surface_of(described: Float32[np.ndarray, "f k 3"], noise: float) -> Float32[np.ndarray, " 6"]:
    """What all faces of a mesh share: its noise level, and how much the `TELLING` filters differ."""
    place = {name: k for k, name in enumerate(FILTERS)}
    apart = [
        float(np.linalg.norm(described[:, place[a]] - described[:, place[b]], axis=1).mean())
        for a, b in TELLING
    ]
    return np.array([4 * noise, *apart], np.float32)
