"""Choose a method without the truth: what works best on a copy of this very surface, spoiled anew."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from okulo.algo.mesh.estimate import noise_level
from okulo.algo.mesh.measure import SHARP_DEG, edge_angles_deg, normal_errors_deg
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.topology import Topology, topology
from okulo.core.nouns import Mesh
from okulo.core.protocols import Progress, silent

SAMPLE_FACES = 12_000
"""Candidates are tried on a part of the mesh of about this size."""

CLEAN = 0.012
"""Below this noise level (of the mean edge length) a mesh counts as clean and is left as it is."""

PILOT = Recipe(method="bilateral", sigma=0.45, iterations=10)
"""Cleans the copy of the first round."""


def candidates() -> list[Recipe]:
    """What `auto` chooses from."""
    made = [
        Recipe(method="guided", sigma=sigma, iterations=turns)
        for sigma, turns in ((0.25, 20), (0.25, 50), (0.35, 20), (0.6, 2), (0.6, 5), (0.6, 20), (0.45, 10))
    ]
    made += [
        Recipe(method="bilateral", sigma=sigma, iterations=turns)
        for sigma, turns in (
            *((0.25, 10), (0.25, 40), (0.35, 20), (0.45, 10), (0.45, 20), (0.45, 40)),
            *((0.6, 2), (0.6, 5), (0.6, 10), (0.6, 20)),
        )
    ]
    made += [Recipe(method="l0-cotangent", strength=each) for each in (0.03, 0.1, 0.2)]
    return made + [Recipe(method="l0", strength=each) for each in (0.1, 0.2)]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What `auto` found and chose; no recipe: the mesh is clean already."""

    recipe: Recipe | None
    noise: float
    """Estimated, of the mean edge length."""
    sharpness: float
    """Share of all bending (sum of the angles between neighbouring faces) that sharp edges hold."""
    kind: str
    tried: tuple[tuple[str, float], ...] = ()
    """Recipes and their errors in degrees on the spoiled copy, best first."""


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


def choose(
    mesh: Mesh,
    near: Topology,
    rng: np.random.Generator,
    recipes: Sequence[Recipe] = (),
    progress: Progress = silent,
) -> Choice:
    """Choose a recipe for a noisy mesh.

    A pilot filter cleans a part of the mesh; it is spoiled with fresh noise of the estimated level, and every
    candidate shows how near it comes back to it: the noise is not the one at hand, but the surface nearly is.
    The best one then takes the pilot's place, and the better half tries once more.
    """
    noise = noise_level(mesh, near)
    part = cut_part(mesh, near, SAMPLE_FACES, rng)
    around = near if part is mesh else topology(part)
    clean = apply(part, around, PILOT) if noise > CLEAN else part
    sharp = sharpness(clean, around)
    kind = "machine part" if sharp > 0.5 else "organic"
    if noise <= CLEAN:
        return Choice(recipe=None, noise=noise, sharpness=sharp, kind=kind)
    standing = list(recipes) or candidates()
    for lap in range(2):
        spoiled = add_noise(clean, "along-normal", noise, rng)
        errors = _try_out(standing, spoiled, clean, around, progress, f"trying methods, round {lap + 1}")
        standing = sorted(standing, key=errors.__getitem__)
        if lap == 0:
            standing = standing[: max(2, len(standing) // 3)]
            clean = apply(part, around, standing[0])
    tried = tuple((str(recipe), errors[recipe]) for recipe in standing)
    return Choice(recipe=standing[0], noise=noise, sharpness=sharp, kind=kind, tried=tried)


def _try_out(
    recipes: Sequence[Recipe], spoiled: Mesh, clean: Mesh, near: Topology, progress: Progress, label: str
) -> dict[Recipe, float]:
    """Mean error of normals each recipe leaves, in degrees; as many at once as there are cores."""

    def error(recipe: Recipe) -> float:
        return float(normal_errors_deg(apply(spoiled, near, recipe), clean).mean())

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return dict(zip(recipes, progress(pool.map(error, recipes), label=label, total=len(recipes))))


def cut_part(mesh: Mesh, near: Topology, most: int, rng: np.random.Generator) -> Mesh:
    """Cut pieces out of a mesh, about `most` faces in all: everything around eight places, grown evenly."""
    if len(mesh.faces) <= most:
        return mesh
    inside = np.zeros(len(mesh.faces), np.bool_)
    inside[rng.choice(len(mesh.faces), 8, replace=False)] = True
    while inside.sum() < most:
        grown = _grow(inside, near)
        if grown.sum() == inside.sum():  # these components are full: begin in another place
            grown[rng.choice(np.flatnonzero(~grown))] = True
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
