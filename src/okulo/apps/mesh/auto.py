"""Choose a method without the truth: how the filters differ on a surface tells what it is like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from okulo.algo.mesh.choose import predict
from okulo.algo.mesh.describe import describe, surface_of
from okulo.algo.mesh.estimate import noise_level
from okulo.algo.mesh.measure import SHARP_DEG, edge_angles_deg
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.topology import Topology, topology
from okulo.apps.mesh.learned import denoise_learned
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.core.protocols import Progress, silent
from okulo.runtime.arrays import ArrayFile

LOOK_AT = 40_000
"""A larger mesh is judged by a part of about this many faces."""

CLEAN = 0.012
"""Below this noise level (of the mean edge length) a mesh counts as clean and is left as it is."""

RECIPES = {
    "bilateral 0.25 40": Recipe(method="bilateral", sigma=0.25, iterations=40),
    "bilateral 0.45 10": Recipe(method="bilateral", sigma=0.45, iterations=10),
    "bilateral 0.45 20": Recipe(method="bilateral", sigma=0.45, iterations=20),
    "bilateral 0.6 5": Recipe(method="bilateral", sigma=0.6, iterations=5),
    "bilateral 0.6 20": Recipe(method="bilateral", sigma=0.6, iterations=20),
    "guided 0.25 50": Recipe(method="guided", sigma=0.25, iterations=50),
    "guided 0.35 20": Recipe(method="guided", sigma=0.35, iterations=20),
    "guided 0.6 5": Recipe(method="guided", sigma=0.6, iterations=5),
    "guided 0.6 20": Recipe(method="guided", sigma=0.6, iterations=20),
    "laplacian 1": Recipe(method="laplacian", iterations=1),
    "laplacian 2": Recipe(method="laplacian", iterations=2),
    "laplacian 5": Recipe(method="laplacian", iterations=5),
    "taubin 10": Recipe(method="taubin", iterations=10),
    "taubin 30": Recipe(method="taubin", iterations=30),
    "vertices 0.6 5": Recipe(method="bilateral-vertex", sigma=0.6, iterations=5),
    "l0 0.1": Recipe(method="l0-cotangent", strength=0.1),
    "l0 0.2": Recipe(method="l0-cotangent", strength=0.2),
}
"""What `auto` chooses from, beside the model itself; the names are those of `describe`'s filters."""

LEARNED = "learned"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What `auto` chose: a recipe, or the model; neither: the mesh is clean already."""

    noise: float
    """Estimated, of the mean edge length."""
    recipe: Recipe | None = None
    model: ArrayFile | None = None
    tried: tuple[tuple[str, float], ...] = ()
    """Methods, best first, and the errors they are expected to leave, relative to the mean over all."""

    @property
    def name(self) -> str:
        """The chosen one, with its numbers."""
        return LEARNED if self.model else str(self.recipe) if self.recipe else "none"

    def apply(self, mesh: Mesh, near: Topology, progress: Progress = silent) -> Mesh:
        """Denoise with what was chosen."""
        if self.model is not None:
            return denoise_learned(mesh, near, self.model, progress)
        return mesh if self.recipe is None else apply(mesh, near, self.recipe)


def sharpness(mesh: Mesh, near: Topology) -> float:
    """Say which share of a surface's bending is in its sharp edges: 1 a cube, 0 a sphere.

    >>> from okulo.algo.mesh.shapes import sphere
    >>> sharpness(sphere(4), topology(sphere(4)))
    0.0
    """
    angles = edge_angles_deg(mesh, near)
    angles = np.where(angles < 2.0, 0.0, angles)  # what is left of the noise is no bending
    total = float(angles.sum())
    return float(angles[angles >= SHARP_DEG].sum()) / total if total else 1.0


def choose(mesh: Mesh, near: Topology, rng: np.random.Generator, model: ArrayFile) -> Choice:
    """Choose for a noisy mesh what is expected to leave the smallest error of normals.

    The expectation is a formula in the noise level and in how much five pairs of filters differ; it was
    fitted to the errors on simulated pairs and lies in the model file.
    """
    noise = noise_level(mesh, near)
    if noise <= CLEAN:
        return Choice(noise=noise)
    part = cut_part(mesh, near, LOOK_AT, rng)
    described = describe(part, near if part is mesh else topology(part))
    expected = expect(model.info.notes.get("chooser"), surface_of(described, noise))
    tried = tuple(sorted(expected.items(), key=lambda each: each[1]))
    best = tried[0][0]
    if best == LEARNED:
        return Choice(noise=noise, model=model, tried=tried)
    return Choice(noise=noise, recipe=RECIPES[best], tried=tried)


def expect(fitted: Any, surface: np.ndarray) -> dict[str, float]:
    """Expected errors by name, of what a model file says was fitted; one that says nothing is BadInput."""
    try:
        assert isinstance(fitted, Mapping)
        names: Sequence[str] = fitted["methods"]
        errors = predict(np.array(fitted["weights"], np.float64), surface)
        return {name: float(error) for name, error in zip(names, errors) if name in (*RECIPES, LEARNED)}
    except (AssertionError, KeyError, ValueError, TypeError) as error:
        raise BadInput(
            "model", "does not say when it is better than the filters", hint="name a --method"
        ) from error


def cut_part(mesh: Mesh, near: Topology, most: int, rng: np.random.Generator) -> Mesh:
    """Cut pieces out of a mesh, about `most` faces in all: everything around eight places, grown evenly."""
    if len(mesh.faces) <= most:
        return mesh
    inside = np.zeros(len(mesh.faces), np.bool_)
    inside[rng.choice(len(mesh.faces), 8, replace=False)] = True
    while inside.sum() < most:
        grown = _grow(inside, near)
        if grown.sum() == inside.sum():  # these components are full: begin in other places
            grown[rng.choice(np.flatnonzero(~grown), 8)] = True
        inside = grown
    return keep_faces(mesh, np.flatnonzero(inside))


def _grow(inside: Bool[np.ndarray, " f"], near: Topology) -> Bool[np.ndarray, " f"]:
    grown = inside.copy()
    across = near.across[inside]
    grown[across[across >= 0]] = True
    return grown


def keep_faces(mesh: Mesh, chosen: Int64[np.ndarray, " g"]) -> Mesh:
    """Keep some of a mesh's faces, and the vertices they need.

    >>> square = Mesh(np.eye(4, 3), np.int32([[0, 1, 2], [0, 2, 3]]))
    >>> keep_faces(square, np.array([1])).faces.tolist()
    [[0, 1, 2]]
    """
    used, places = np.unique(mesh.faces[chosen], return_inverse=True)
    return Mesh(mesh.vertices[used], places.reshape(-1, 3).astype(np.int32))
