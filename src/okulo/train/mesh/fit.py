"""Fit a mesh network to pairs: one optimiser, one loss, whatever the network takes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from sklearn.cluster import KMeans
from torch import Tensor, nn

from okulo.algo.mesh.describe import Senses, describe
from okulo.algo.mesh.feeds import FEEDS, Described, Feed, put_together
from okulo.algo.mesh.measure import angles_deg
from okulo.algo.mesh.normals import follow_normals
from okulo.core.protocols import Progress, silent
from okulo.nets.mesh.cascade import CascadeNet
from okulo.nets.mesh.graph import GraphNet
from okulo.nets.mesh.guide import GuideNet
from okulo.nets.mesh.patch import PatchNet
from okulo.nets.mesh.vectors import Invariants
from okulo.train.mesh.pairs import Pair

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "cascade": CascadeNet,
    "graph": GraphNet,
    "patch": PatchNet,
    "guide": GuideNet,
}
STAGES = {"cascade": 2}
"""How often a network is asked, each time of what it made before; others once."""

BATCH = 4096
"""Faces in one step, of networks that answer faces or patches by themselves."""

SAMPLE = {"cascade": 1500, "guide": 400, "patch": 800}
"""Faces of every pair that such networks learn from: every step takes some of all pairs."""

LOOKED_AT = 20_000
"""Faces that say how large each input is, and where the clusters are."""

STAGE_FOLLOW = 15
"""Iterations of the vertices between the stages of the cascade."""

RATE = 3e-3


@dataclass(frozen=True)
class Lesson:
    """One piece of one pair, or faces of all, as tensors; `weight` makes every mesh count alike."""

    inputs: dict[str, Tensor]
    truth: Tensor
    weight: Tensor
    mixed: bool = False
    """Whether its rows are of many pairs, and any of them can be taken."""

    def some(self, faces: int, rng: np.random.Generator) -> "Lesson":
        """About so many faces of it, drawn at random; what hangs together stays whole."""
        if not self.mixed:
            return self
        each = len(self.truth) // _count(self)
        return _rows(self, rng.integers(_count(self), size=max(1, faces // each)))


def fit(
    architecture: str,
    pairs: list[Pair],
    senses: Senses,
    steps: int,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> nn.Module:
    """Train a network of this name; a cascade in stages, each on what the one before made of the pairs."""
    torch.manual_seed(int(rng.integers(2**31)))
    told = pairs[0].said.context.shape[1] + len(pairs[0].said.surface)
    network = NETWORKS[architecture](vectors=len(senses.filters), told=told)
    stages = STAGES.get(architecture, 1)
    for stage in range(stages):
        taught = list(lessons(architecture, pairs, stage, rng))
        _prepare(network, taught, stage, rng)
        label = f"training {architecture}" + (f", stage {stage + 1}" if stages > 1 else "")
        _descend(network, taught, progress(range(steps // stages), label=label), steps // stages, rng)
        if stage + 1 < stages:
            pairs = [
                next_pair(network, architecture, pair, senses, stage)
                for pair in progress(pairs, label="filtering again")
            ]
    return network


def lessons(
    architecture: str, pairs: Sequence[Pair], stage: int, rng: np.random.Generator
) -> Iterator[Lesson]:
    """Cut pairs into what a network takes at once; faces that it answers by themselves are one lesson."""
    pieces = []
    for pair in pairs:
        ease = 1 / (min(_filter_errors(pair)) + 0.5)
        for feed in FEEDS[architecture](pair.said):
            piece = _lesson(feed, pair.truth, ease)
            if architecture in SAMPLE:
                piece = _rows(piece, rng.random(_count(piece)) < SAMPLE[architecture] / len(pair.truth))
            pieces.append(piece)
    if architecture in SAMPLE:
        pieces = [_joined(pieces)]
    for piece in pieces:
        if architecture in STAGES:
            piece.inputs["stage"] = torch.tensor([stage])
        yield piece


def _filter_errors(pair: Pair) -> list[float]:
    normals = pair.said.normals
    return [
        float(angles_deg(normals[:, k].astype(float), pair.truth).mean()) for k in range(normals.shape[1])
    ]


def _lesson(feed: Feed, truth: Float64[np.ndarray, "f 3"], ease: float) -> Lesson:
    inputs = {name: torch.from_numpy(value) for name, value in feed.inputs.items()}
    wanted = truth[feed.faces]
    weight = feed.counts * wanted.any(axis=1) * ease
    return Lesson(inputs, torch.from_numpy(wanted).float(), torch.from_numpy(weight).float())


def _count(lesson: Lesson) -> int:
    return len(lesson.inputs["described"])


def _rows(lesson: Lesson, rows: np.ndarray) -> Lesson:
    """Some faces or patches of a lesson; each has its mesh's `surface` with it."""
    chosen, count = torch.from_numpy(rows), _count(lesson)
    between = (1,) * (lesson.inputs["described"].ndim - 3)  # a patch has one for all of its faces
    inputs = dict(lesson.inputs)
    if inputs["surface"].ndim == 1:
        inputs["surface"] = inputs["surface"].expand(count, *between, -1)
    inputs = {name: value if name == "stage" else value[chosen] for name, value in inputs.items()}
    truth, weight = lesson.truth.view(count, -1, 3)[chosen], lesson.weight.view(count, -1)[chosen]
    return Lesson(inputs, truth.flatten(0, 1), weight.flatten())


def _joined(pieces: Sequence[Lesson]) -> Lesson:
    inputs = {name: torch.cat([each.inputs[name] for each in pieces]) for name in pieces[0].inputs}
    truth, weight = (torch.cat([getattr(each, name) for each in pieces]) for name in ("truth", "weight"))
    return Lesson(inputs, truth, weight, mixed=True)


def _prepare(network: nn.Module, taught: Sequence[Lesson], stage: int, rng: np.random.Generator) -> None:
    """Bring inputs to one size; put the clusters' centres where k-means puts them among samples."""
    look = network.invariants
    assert isinstance(look, Invariants)
    with torch.no_grad():
        samples = []
        for lesson in taught:
            some = lesson.some(LOOKED_AT, rng)
            found = look(*(some.inputs[name] for name in ("described", "context", "surface"))).flatten(0, -2)
            samples.append(
                found[torch.from_numpy(rng.integers(len(found), size=LOOKED_AT // len(taught) + 1))]
            )
        sample = torch.cat(samples)
        if stage == 0:
            look.fit(sample)
            sample = (sample - look.mean) / look.spread
    if isinstance(network, CascadeNet):
        means = KMeans(network.centres.shape[1], n_init=3, random_state=0).fit(sample.numpy())
        network.centres[stage] = torch.from_numpy(means.cluster_centers_).float()


def _descend(
    network: nn.Module,
    taught: Sequence[Lesson],
    turns: Iterable[int],
    steps: int,
    rng: np.random.Generator,
) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=max(steps, 2), pct_start=0.1)
    for _ in turns:
        lesson = taught[int(rng.integers(len(taught)))].some(BATCH, rng)
        guessed = network(**lesson.inputs)
        # The chord, not its square: the mean angle is what is judged, and few faces are very wrong.
        apart = ((guessed - lesson.truth).square().sum(1) + 1e-8).sqrt()
        loss = (apart * lesson.weight).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def guess(
    network: nn.Module, architecture: str, said: Described, stage: int = 0
) -> Float64[np.ndarray, "f 3"]:
    """The network's normals for all faces of a described mesh."""
    total = np.zeros((len(said.normals), 3))
    with torch.no_grad():
        for feed in FEEDS[architecture](said):
            inputs = {name: torch.from_numpy(value) for name, value in feed.inputs.items()}
            if architecture in STAGES:
                inputs["stage"] = torch.tensor([stage])
            np.add.at(total, feed.faces[feed.counts], network(**inputs).numpy()[feed.counts])
    sizes = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(sizes, 1e-12))


def next_pair(network: nn.Module, architecture: str, pair: Pair, senses: Senses, stage: int) -> Pair:
    """What a stage makes of a pair: the mesh it leads to, described anew."""
    said = pair.said
    mesh = follow_normals(said.mesh, said.near, guess(network, architecture, said, stage), STAGE_FOLLOW)
    normals = describe(mesh, said.near, senses.filters, said.normals.copy())
    noise = float(said.surface[0]) / 4  # the level of what came first, at every stage
    return Pair(pair.name, put_together(mesh, said.near, normals, senses, noise), pair.truth)
