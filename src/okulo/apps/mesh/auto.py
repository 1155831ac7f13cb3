"""Choose a method without the truth: by the error that is to be expected of each."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from okulo.algo.mesh.estimate import noise_level, spikes
from okulo.algo.mesh.forecast import Forecast
from okulo.algo.mesh.measure import SHARP_DEG, edge_angles_deg
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.topology import Topology, topology
from okulo.algo.mesh.traces import traces
from okulo.apps.mesh.forecasts import read_forecast
from okulo.apps.mesh.learned import denoise_learned, find_sample
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.core.protocols import Progress, silent
from okulo.runtime.arrays import ArrayFile

LOOK_AT = 12_000
"""A larger mesh is judged by a part of about this many faces."""

CLEAN = 0.012
"""Below this noise level (of the mean edge length) a mesh counts as clean and is left as it is."""

FEW_SPIKES = 0.002
"""…unless more than this share of its vertices stand out alone (`algo.mesh.estimate.spikes`)."""

LEARNED, NONE = "learned", "none"

CLEARLY = 0.9
"""Another than the model is taken where its expected error is below this share of the model's."""

FORECAST = "mesh-auto.npz"

CANDIDATES = (
    *(
        Recipe(method="bilateral", sigma=0.6, iterations=5, follow=15, passes=count, restore=turns)
        for count, turns in ((2, 0), (6, 0), (12, 0), (2, 5))
    ),
    Recipe(method="bilateral", sigma=0.6, iterations=2, follow=15, passes=2, restore=5),
    *(Recipe(method="bilateral", sigma=0.25, iterations=count) for count in (5, 10, 40)),
    Recipe(method="bilateral", sigma=0.35, iterations=5),
    Recipe(method="bilateral", sigma=0.45, iterations=10),
    *(Recipe(method="taubin", iterations=count) for count in (3, 10, 30, 80)),
    *(Recipe(method="laplacian", iterations=count, restore=turns) for count, turns in ((5, 4), (10, 7))),
    Recipe(method="guided", sigma=0.6, iterations=20),
    Recipe(method="guided", sigma=0.25, iterations=50),
    Recipe(method="l0-cotangent", strength=0.1),
    Recipe(method="l0", strength=0.2),
    Recipe(method="bilateral-vertex", sigma=0.6, iterations=2),
)
"""What is tried beside the model: heavy and gentle, for surfaces smooth, sharp and rough."""

KNOWN = (LEARNED, NONE, *(str(recipe) for recipe in CANDIDATES))
"""Everything that can be chosen, in the order the forecast knows; `none`: the mesh as it is."""


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
    """What was tried, the chosen first, then the likely best: names, expected errors of normals (°)."""

    @property
    def name(self) -> str:
        """The chosen one, with its numbers."""
        return LEARNED if self.model else str(self.recipe) if self.recipe else NONE

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


def choose(
    mesh: Mesh, near: Topology, rng: np.random.Generator, model: ArrayFile, forecast: Forecast | None = None
) -> Choice:
    """Choose for a noisy mesh: the model or one of `CANDIDATES`, whichever is likely nearest to the truth.

    All of them denoise a part of the mesh; how far their answers are apart, what each left and what it took
    (`algo.mesh.traces`) forecast the error of each (`algo.mesh.forecast`).
    """
    noise = noise_level(mesh, near)
    if noise <= CLEAN and spikes(mesh, near) <= FEW_SPIKES:
        return Choice(noise=noise)
    part = cut_part(mesh, near, LOOK_AT, rng)
    around = near if part is mesh else topology(part)
    made = [denoise_learned(part, around, model), part, *(apply(part, around, each) for each in CANDIDATES)]
    expected = (forecast or open_forecast()).errors_deg(traces(part, around, made))
    best = pick(expected)
    others = [int(k) for k in np.argsort(expected, kind="stable") if k != best]
    return Choice(
        noise=noise,
        recipe=None if KNOWN[best] in (LEARNED, NONE) else CANDIDATES[best - 2],
        model=model if KNOWN[best] == LEARNED else None,
        done=made[best] if part is mesh else None,
        tried=tuple((KNOWN[k], float(expected[k])) for k in (best, *others)),
    )


def pick(expected_deg: Float64[np.ndarray, " k"]) -> int:
    """Say which of `KNOWN` to take: the model unless another is expected to be clearly better.

    >>> pick(np.array([1.0, 20.0, 0.95])), pick(np.array([1.0, 20.0, 0.8]))
    (0, 2)
    """
    best = int(np.argmin(expected_deg))
    return best if expected_deg[best] < CLEARLY * expected_deg[0] else 0


def open_forecast() -> Forecast:
    """Open the forecast of errors that comes with okulo; one of other candidates is BadInput."""
    forecast = read_forecast(find_sample(FORECAST))
    if forecast.names != KNOWN:
        raise BadInput(FORECAST, "is of other filters than these", hint="python benchmarks/mesh_auto.py")
    return forecast


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
