"""What learned methods see of each face: the normals that classic filters would give it."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32

from okulo.algo.mesh.compiled import ENOUGH
from okulo.algo.mesh.l0 import l0
from okulo.algo.mesh.normals import bilateral_normals, follow_normals, guided_normals
from okulo.algo.mesh.smooth import bilateral_vertices, laplacian, restore, taubin
from okulo.algo.mesh.topology import FaceShapes, Topology, face_shapes
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh

NOISY = "noisy"
"""The name of a face's own normal, the first of every description."""


HINT = "train one with this version of okulo (`okulo mesh train`), or update okulo"

MOST = 1000
"""Turns a filter can be asked for; a model file that wants more is refused."""

BETWEEN = 15
"""Iterations of the vertices between two passes of the filter `passes`."""


@dataclass(frozen=True)
class State:
    """A mesh on its way through a filter, and the normals it has by now."""

    mesh: Mesh
    shapes: FaceShapes


Step = Callable[[State, Topology, int], State]
"""Filters so many turns more."""


def _bilateral(sigma: float) -> Step:
    def step(state: State, near: Topology, count: int) -> State:
        normals = bilateral_normals(state.shapes, near, sigma, count)
        return replace(state, shapes=replace(state.shapes, normals=normals))

    return step


def _guided(sigma: float) -> Step:
    def step(state: State, near: Topology, count: int) -> State:
        normals = guided_normals(state.shapes, near, sigma, count)
        return replace(state, shapes=replace(state.shapes, normals=normals))

    return step


def _passes(sigma: float, turns: float) -> Step:
    def step(state: State, near: Topology, count: int) -> State:
        for _ in range(count):
            normals = bilateral_normals(state.shapes, near, sigma, int(turns))
            state = _moved(follow_normals(state.mesh, near, normals, BETWEEN))
        return state

    return step


def _l0(strength: float, growth: float) -> Step:
    if growth < 1.1:
        raise ValueError("β would hardly grow")
    return _moving(lambda mesh, near, _: l0(mesh, near, strength, area_based=False, growth=growth))


def _moving(move: Callable[[Mesh, Topology, int], Mesh]) -> Step:
    return lambda state, near, count: _moved(move(state.mesh, near, count))


def _moved(mesh: Mesh) -> State:
    return State(mesh, face_shapes(mesh.vertices, mesh.faces))


FAMILIES: dict[str, tuple[int, Callable[..., Step]]] = {
    "bilateral": (1, _bilateral),
    "guided": (1, _guided),
    "passes": (2, _passes),
    "laplacian": (0, lambda: _moving(laplacian)),
    "taubin": (0, lambda: _moving(taubin)),
    "vertices": (1, lambda sigma: _moving(lambda mesh, near, n: bilateral_vertices(mesh, near, n, sigma))),
    "l0": (2, _l0),
}
"""How many numbers each family of filters has before its turns, and the filter they make: sigma; of `passes`
sigma and turns a pass; of `l0` the strength and the growth of β."""


@dataclass(frozen=True)
class Chain:
    """Filters that go on from each other: the same one, more and more turns."""

    step: Step
    slow: bool
    stops: tuple[tuple[int, int, int], ...]
    """Turns; turns of averaging after which what was taken is given back, or 0; place in the description."""

    def run(self, first: State, near: Topology, out: Float32[np.ndarray, "f k 3"]) -> None:
        """Write the normals after every stop."""
        state, done = first, 0
        for count, back, place in self.stops:
            if count > done:
                state, done = self.step(state, near, count - done), count
            normals = state.shapes.normals
            if back:
                given = restore(first.mesh, state.mesh, near, back)
                normals = face_shapes(given.vertices, given.faces).normals
            out[:, place] = normals


def chains(names: Sequence[str]) -> list[Chain]:
    """Read filters by name: "family numbers… turns", and "restore turns" if what was taken is given back.

    >>> [chain.stops for chain in chains(["noisy", "taubin 3", "taubin 30", "passes 0.6 5 2 restore 4"])]
    [((3, 0, 1), (30, 0, 2)), ((2, 4, 3),)]
    """
    found: dict[tuple[str, tuple[float, ...]], tuple[Step, list[tuple[int, int, int]]]] = {}
    for place, name in enumerate(names):
        if place == 0 and name == NOISY:
            continue
        try:
            said, _, back = name.partition(" restore ")
            family, *numbers = said.split()
            values, count, turns = tuple(map(float, numbers[:-1])), int(numbers[-1]), int(back or 0)
            wanted, make = FAMILIES[family]
            if len(values) != wanted or not all(0 < each <= MOST for each in (*values, count, turns or 1)):
                raise ValueError
            _, stops = found.setdefault((family, values), (make(*values), []))
        except (ValueError, KeyError, IndexError):
            raise BadInput("model file", f"asks for a filter not known here: {name!r}", hint=HINT) from None
        stops.append((count, turns, place))
    return [Chain(step, family == "l0", tuple(sorted(stops))) for (family, _), (step, stops) in found.items()]


@dataclass(frozen=True)
class Senses:
    """Which filters a network sees, and what it is told of the surroundings; written into its model file."""

    filters: tuple[str, ...]
    """As `chains` reads them; the first one is "noisy"."""
    telling: tuple[tuple[str, str], ...]
    """Pairs of filters whose difference says what kind of surface is around."""
    scales: tuple[int, ...]
    """How often a difference is averaged over neighbouring faces, ascending."""

    def __post_init__(self) -> None:
        chains(self.filters)
        strange = sorted({name for pair in self.telling for name in pair} - set(self.filters))
        if strange:
            raise BadInput("model file", f"tells apart filters it does not have: {', '.join(strange)}")
        if self.filters[:1] != (NOISY,) or not all(0 < scale <= MOST for scale in self.scales):
            raise BadInput("model file", "does not say which filters it needs", hint=HINT)

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> "Senses":
        """Read what a model file says; nothing, or filters that are not known here, are BadInput."""
        try:
            filters, telling, scales = (notes[name] for name in ("filters", "telling", "scales"))
            return cls(
                tuple(str(name) for name in filters),
                tuple((str(a), str(b)) for a, b in telling),
                tuple(int(scale) for scale in scales),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput("model file", "does not say which filters it needs", hint=HINT) from error


def describe(
    mesh: Mesh, near: Topology, names: Sequence[str], again: Float32[np.ndarray, "f k 3"] | None = None
) -> Float32[np.ndarray, "f k 3"]:
    """Give every face its noisy normal and what each named filter makes of it: filtered facet normal
    descriptors as Wang 2016 has them, more kinds of filters, in the mesh's own coordinates.

    Args:
        mesh: the noisy mesh, or what a stage before made of it.
        near: its neighbours.
        names: the filters (`chains`), the first one "noisy".
        again: the description of the mesh before: overwritten, the slow filters in it stay as they are.
    """
    first = _moved(mesh)
    out = np.empty((len(mesh.faces), len(names), 3), np.float32) if again is None else again
    wanted = [chain for chain in chains(names) if again is None or not chain.slow]
    wanted.sort(key=lambda chain: not chain.slow)  # L0 needs the most memory: before `out` is written to
    if len(mesh.faces) >= ENOUGH:  # each filter has all cores, and only one needs memory
        for chain in wanted:
            chain.run(first, near, out)
    else:
        len(near.ring)  # found here once, not by every thread
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(lambda chain: chain.run(first, near, out), wanted))
    out[:, 0] = first.shapes.normals
    return out


SENSES = Senses(
    filters=(
        NOISY,
        *("bilateral 0.25 40", "bilateral 0.45 20", "bilateral 0.6 5", "bilateral 0.6 20"),
        *("guided 0.25 50", "guided 0.6 5", "guided 0.6 20"),
        *("laplacian 1", "laplacian 2", "laplacian 5", "laplacian 10", "laplacian 10 restore 7"),
        *("taubin 3", "taubin 10", "taubin 30", "taubin 80", "vertices 0.6 2"),
        *("passes 0.6 5 2", "passes 0.6 5 6", "passes 0.6 2 2 restore 5", "passes 0.35 5 4"),
        "l0 0.2 2 1",
    ),
    telling=(
        (NOISY, "laplacian 1"),
        ("laplacian 1", "laplacian 2"),
        ("laplacian 2", "laplacian 5"),
        ("laplacian 5", "taubin 30"),
        ("taubin 10", "taubin 80"),
        (NOISY, "taubin 3"),
        (NOISY, "bilateral 0.45 20"),
        ("guided 0.25 50", "taubin 30"),
        ("laplacian 2", "l0 0.2 2 1"),
        ("passes 0.6 5 6", "taubin 30"),
        ("bilateral 0.25 40", "guided 0.6 20"),
    ),
    scales=(4, 40),
)
"""What `okulo mesh train` gives a network to see."""
