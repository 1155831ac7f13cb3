"""The methods by name, each with its defaults; distances are in mean edge lengths."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from okulo.algo.mesh.global_normals import bilateral_normals_global
from okulo.algo.mesh.l0 import l0
from okulo.algo.mesh.normals import bilateral_normals, follow_normals, guided_normals
from okulo.algo.mesh.order import put_in_order
from okulo.algo.mesh.smooth import bilateral_vertices, laplacian, taubin
from okulo.algo.mesh.smooth import restore as give_back
from okulo.algo.mesh.topology import FaceShapes, Topology, face_shapes, topology
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh

FOLLOW = 30
"""Iterations of the vertices that follow filtered normals, unless told otherwise."""

NUMBERS = ("sigma", "iterations", "strength", "reach", "follow", "passes", "restore")
"""The numbers a recipe may name."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A method and its numbers; None is the method's default, and a number it does not know is BadInput."""

    method: str
    sigma: float | None = None
    iterations: int | None = None
    strength: float | None = None
    reach: float | None = None
    follow: int | None = None
    """Iterations of the vertices that follow the filtered normals."""
    passes: int | None = None
    """How often normals are filtered and followed; the next pass filters the normals of what was made."""
    restore: int | None = None
    """Turns of averaging after which what was taken away is given back; 0: nothing is."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadInput("method", wanted=f"one of {', '.join(METHODS)}", got=repr(self.method))
        known = METHODS[self.method].defaults
        for name in NUMBERS:
            if getattr(self, name) is not None and name not in known:
                raise BadInput(name, f"{self.method} has no such number", hint=f"it has {', '.join(known)}")

    def numbers(self) -> dict[str, Any]:
        """The method's numbers, defaults filled in.

        >>> Recipe(method="taubin", iterations=3).numbers()
        {'iterations': 3, 'strength': 0.5}
        """
        known = METHODS[self.method].defaults
        return {k: v if getattr(self, k) is None else getattr(self, k) for k, v in known.items()}

    def filled(self) -> "Recipe":
        """The same with every default written out."""
        return replace(self, **self.numbers())

    def __str__(self) -> str:
        said = {k: v for k, v in self.numbers().items() if k not in UNSAID or v != UNSAID[k]}
        return " ".join([self.method, *(f"{name} {value:g}" for name, value in said.items())])


@dataclass(frozen=True)
class Method:
    """One way to denoise: what it is, its numbers' defaults, and the function."""

    about: str
    defaults: dict[str, Any]
    run: Callable[..., Mesh]


UNSAID = {"passes": 1, "restore": 0}
"""Numbers that go unsaid where they change nothing."""


def _laplacian(mesh: Mesh, near: Topology, *, iterations: int, strength: float, restore: int) -> Mesh:
    return give_back(mesh, laplacian(mesh, near, iterations, strength), near, restore)


def _cotangent(mesh: Mesh, near: Topology, *, iterations: int, strength: float) -> Mesh:
    return laplacian(mesh, near, iterations, strength, cotangent=True)


def _taubin(mesh: Mesh, near: Topology, *, iterations: int, strength: float) -> Mesh:
    return taubin(mesh, near, iterations, strength, strength * 1.06)


def _vertex(mesh: Mesh, near: Topology, *, sigma: float, iterations: int, reach: float) -> Mesh:
    return bilateral_vertices(mesh, near, iterations, sigma, reach)


def _by_normals(
    normals_of: Callable[..., Float64[np.ndarray, "f 3"]],
) -> Callable[..., Mesh]:
    """Make a method of a filter of normals: filter, then let the vertices follow."""

    def run(
        mesh: Mesh, near: Topology, *, follow: int, passes: int = 1, restore: int = 0, **numbers: float
    ) -> Mesh:
        done = mesh
        for _ in range(passes):
            shapes: FaceShapes = face_shapes(done.vertices, done.faces)
            done = follow_normals(done, near, normals_of(shapes, near, **numbers), follow)
        return give_back(mesh, done, near, restore)

    return run


def _global(shapes: FaceShapes, near: Topology, sigma: float, strength: float, reach: float) -> np.ndarray:
    return bilateral_normals_global(shapes, near, sigma, 1 / strength, reach)


def _l0_area(mesh: Mesh, near: Topology, *, strength: float) -> Mesh:
    return l0(mesh, near, strength)


def _l0_cotangent(mesh: Mesh, near: Topology, *, strength: float) -> Mesh:
    return l0(mesh, near, strength, area_based=False)


METHODS = {
    "laplacian": Method("Laplacian smoothing", {"iterations": 3, "strength": 0.5, "restore": 0}, _laplacian),
    "cotangent": Method(
        "Laplacian smoothing, cotangent weights", {"iterations": 3, "strength": 0.5}, _cotangent
    ),
    "taubin": Method("Taubin's λ|μ smoothing", {"iterations": 10, "strength": 0.5}, _taubin),
    "bilateral-vertex": Method(
        "bilateral filter of vertices (Fleishman 2003)",
        {"sigma": 0.3, "iterations": 5, "reach": 1.0},
        _vertex,
    ),
    "bilateral": Method(
        "bilateral normal filtering, local (Zheng 2011)",
        {"sigma": 0.45, "iterations": 20, "reach": 1.0, "follow": FOLLOW, **UNSAID},
        _by_normals(bilateral_normals),
    ),
    "bilateral-global": Method(
        "bilateral normal filtering, global (Zheng 2011)",
        {"sigma": 0.45, "strength": 20.0, "reach": 1.0, "follow": FOLLOW},
        _by_normals(_global),
    ),
    "guided": Method(
        "guided normal filtering (Zhang 2015)",
        {"sigma": 0.35, "iterations": 20, "reach": 1.0, "follow": FOLLOW, **UNSAID},
        _by_normals(guided_normals),
    ),
    "l0": Method("L0 minimisation, area-based (He & Schaefer 2013)", {"strength": 0.2}, _l0_area),
    "l0-cotangent": Method(
        "L0 minimisation, cotangent operator (He & Schaefer 2013)", {"strength": 0.2}, _l0_cotangent
    ),
}
"""The classic methods, by name."""


def denoise(mesh: Mesh, recipe: Recipe) -> Mesh:
    """Denoise a mesh whose faces may lie in memory in any order; the faces stay as they are.

    >>> from okulo.algo.mesh.shapes import sphere
    >>> ball = sphere(2)
    >>> len(denoise(ball, Recipe(method="guided", iterations=2)))
    320
    """
    ordered = put_in_order(mesh)
    return ordered.back(apply(ordered.mesh, topology(ordered.mesh), recipe), mesh)


def apply(mesh: Mesh, near: Topology, recipe: Recipe) -> Mesh:
    """Denoise a mesh whose neighbours are known already; fast where it lies as `put_in_order` lays it.

    >>> from okulo.algo.mesh.shapes import sphere
    >>> ball = sphere(2)
    >>> len(apply(ball, topology(ball), Recipe(method="guided", iterations=2)))
    320
    """
    return METHODS[recipe.method].run(mesh, near, **recipe.numbers())
