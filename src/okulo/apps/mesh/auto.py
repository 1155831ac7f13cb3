"""Choose a method without the truth: by the error that is to be expected of each."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int64

from okulo.algo.mesh.estimate import noise_level, probe
from okulo.algo.mesh.measure import SHARP_DEG, edge_angles_deg
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.topology import Topology, topology
from okulo.apps.mesh.learned import denoise_learned
from okulo.core.nouns import Mesh
from okulo.core.protocols import Progress, silent
from okulo.runtime.arrays import ArrayFile

LOOK_AT = 12_000
"""A larger mesh is judged by a part of about this many faces."""

CLEAN = 0.012
"""Below this noise level (of the mean edge length) a mesh counts as clean and is left as it is."""

LEARNED = "learned"

OTHERS = (
    Recipe(method="bilateral", sigma=0.6, iterations=5, follow=15, passes=6),
    Recipe(method="bilateral", sigma=0.6, iterations=5, follow=15, passes=2),
    Recipe(method="bilateral", sigma=0.6, iterations=2, follow=15, passes=2, restore=5),
    Recipe(method="bilateral", sigma=0.6, iterations=5, follow=15, passes=2, restore=5),
    *(Recipe(method="taubin", iterations=count) for count in (3, 10, 30, 80)),
)
"""What is tried beside the model: heavy and gentle, for surfaces smooth and rough."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What `auto` chose: a recipe, or the model; neither: the mesh is clean already."""

    noise: float
    """Estimated, of the mean edge length."""
    recipe: Recipe | None = None
    model: ArrayFile | None = None
    done: Mesh | None = None
    """What it makes of the whole mesh, where that was found on the way."""
    tried: tuple[tuple[str, float], ...] = ()
    """What was tried, best first, and the error of slopes to be expected of it, in degrees."""

    @property
    def name(self) -> str:
        """The chosen one, with its numbers."""
        return LEARNED if self.model else str(self.recipe) if self.recipe else "none"

    def apply(self, mesh: Mesh, near: Topology, progress: Progress = silent) -> Mesh:
        """Denoise with what was chosen."""
        if self.done is not None:
            return self.done
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
    """Choose for a noisy mesh: the model or one of `OTHERS`, whichever is likely to be nearest to the truth.

    Each is tried twice on a part of the mesh, as it is and a little disturbed (`algo.mesh.estimate.Probe`).
    """
    noise = noise_level(mesh, near)
    if noise <= CLEAN:
        return Choice(noise=noise)
    part = cut_part(mesh, near, LOOK_AT, rng)
    around = near if part is mesh else topology(part)
    probed = probe(part, around, rng)
    found: list[tuple[float, Choice]] = []
    for choice in (Choice(noise=noise, model=model), *(Choice(noise=noise, recipe=each) for each in OTHERS)):
        made, again = choice.apply(part, around), choice.apply(probed.pushed, around)
        error = probed.expected_error(made, again, noise)
        kept = replace(choice, done=made) if part is mesh else choice
        found.append((error, kept))
    found.sort(key=lambda each: each[0])
    tried = tuple((choice.name, float(np.degrees(max(error, 0.0) ** 0.5))) for error, choice in found)
    return replace(found[0][1], tried=tried)


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
