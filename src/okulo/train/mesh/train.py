"""`okulo mesh train`: make pairs, fit a network, judge it on shapes kept apart, write its model file."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from okulo.algo.mesh.describe import SENSES
from okulo.algo.mesh.feeds import FEEDS
from okulo.core.arraymodel import ArrayInfo
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.train.mesh.errors import filter_errors, learned_error
from okulo.train.mesh.fit import NETWORKS, STAGE_FOLLOW, STAGES, fit
from okulo.train.mesh.pairs import Pair, make_pair, make_pairs
from okulo.train.mesh.shapes import clean_shape, find_scans

FREE: dict[str, Mapping[str, Mapping[int, str]]] = {
    "cascade": {"described": {0: "n"}, "context": {0: "n"}},
    "graph": {
        "described": {0: "n"},
        "context": {0: "n"},
        "ring": {0: "n"},
        "parent": {0: "n"},
        "members": {0: "c"},
        "coarse": {0: "c"},
    },
    "patch": {"described": {0: "p"}, "context": {0: "p"}, "links": {0: "p"}},
    "guide": {"described": {0: "n"}, "context": {0: "n"}, "volume": {0: "n"}},
}
"""Which axes of each network's inputs may have any length."""

JUDGED = (("part", 0), ("blob", 1), ("part", 3), ("rough", 4))
"""Made shapes it is judged on: kind, and the place in the turn that `clean_shape` makes of it."""


@dataclass(frozen=True, kw_only=True)
class MeshTrainParams(Params):
    """Train a network that says better normals than any filter, on pairs made by a simulator."""

    output: Path = param(help="model file to write (.onnx)", short="o")
    method: str = param("cascade", help="which network", choices=tuple(NETWORKS))
    scans: Path | None = param(None, help="folder of clean meshes to learn from as well")
    pairs: int = param(300, help="how many noisy meshes to learn from", low=4, high=100_000)
    faces: int = param(6000, help="about how many faces each has", low=200, high=200_000)
    steps: int = param(8000, help="steps of the optimiser", low=1, high=10_000_000)
    seed: int = param(0, help="the same seed makes the same pairs", low=0)


@dataclass(frozen=True)
class Judged:
    """One mesh kept apart: errors of normals in degrees."""

    name: str
    noisy: float
    best_filter: float
    which: str
    learned: float


@dataclass(frozen=True, kw_only=True)
class MeshTrainReport:
    """What was trained, and how it does on shapes kept apart."""

    output: Path
    method: str
    pairs: int
    parameters: int
    bytes: int
    parity: float
    judged: tuple[Judged, ...]
    seconds: dict[str, float]


Write = Callable[
    [nn.Module, ArrayInfo, Path, Mapping[str, Mapping[int, str]], Sequence[Mapping[str, np.ndarray]]], float
]
"""Writes a network as a model file, proven on examples; says how far it is from PyTorch."""


def run(params: MeshTrainParams, write: Write, progress: Progress = silent) -> MeshTrainReport:
    """Train one network, and `write` it."""
    if params.output.suffix != ".onnx":
        raise BadInput("output", wanted="a name that ends in .onnx", got=params.output.name)
    scans = find_scans(params.scans)
    rng = np.random.default_rng(params.seed)
    started = time.perf_counter()
    pairs = make_pairs(params.pairs, params.faces, scans, SENSES, params.seed, progress)
    made = time.perf_counter()
    network = fit(params.method, pairs, SENSES, params.steps, rng, progress)
    fitted = time.perf_counter()
    judged = judge(network, params.method, params.faces, np.random.default_rng(params.seed + 10**6))
    parity = export(network, params, pairs[:3], judged, write)
    return MeshTrainReport(
        output=params.output,
        method=params.method,
        pairs=len(pairs),
        parameters=sum(each.numel() for each in network.parameters()),
        bytes=params.output.stat().st_size,
        parity=parity,
        judged=judged,
        seconds={"pairs": made - started, "training": fitted - made},
    )


def export(
    network: nn.Module,
    params: MeshTrainParams,
    pairs: list[Pair],
    judged: tuple[Judged, ...],
    write: Write,
) -> float:
    """Write the model file, proven against PyTorch on pieces of some pairs."""
    examples: list[dict[str, np.ndarray]] = []
    for pair in pairs:
        feeds = list(FEEDS[params.method](pair.said))
        feed = feeds[-1] if examples else feeds[0]  # the last one of a mesh is of another length
        examples.append({**feed.inputs, **({"stage": np.array([0])} if params.method in STAGES else {})})
    info = ArrayInfo(
        task="normals",
        architecture=params.method,
        inputs=tuple(examples[0]),
        name=params.output.name.removesuffix(".onnx").removesuffix(".okulo"),
        metrics={"learned_deg": float(np.mean([each.learned for each in judged]))},
        data=f"{params.pairs} simulated pairs of about {params.faces} faces, seed {params.seed}"
        + (f", scans of {params.scans.name}" if params.scans else ""),
        licence="Apache-2.0",
        notes={
            **vars(SENSES),
            "stages": STAGES.get(params.method, 1),
            "stage_follow": STAGE_FOLLOW,
            "led": params.method == "guide",
        },
    )
    return write(network, info, params.output, FREE[params.method], examples)


def judge(network: nn.Module, method: str, faces: int, rng: np.random.Generator) -> tuple[Judged, ...]:
    """Compare with the best single filter on made shapes it never saw, at noise 0.1, 0.2 and 0.3."""
    found = []
    for name, place in JUDGED:
        _, clean = clean_shape(place, faces, [], rng)
        for level in (0.1, 0.2, 0.3):
            pair = make_pair(clean, "along-normal", level, name, SENSES, rng)
            errors = filter_errors(pair, SENSES)
            best = int(np.argmin(errors))
            learned = learned_error(network, method, pair, SENSES)
            found.append(Judged(f"{name} {level}", errors[0], errors[best], SENSES.filters[best], learned))
    return tuple(found)
