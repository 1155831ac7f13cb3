"""Fit a mesh network to pairs: one optimiser, one loss, whatever the network takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64
from sklearn.cluster import KMeans
from torch import Tensor, nn

from okulo.algo.mesh.describe import FILTERS, describe_again
from okulo.algo.mesh.feeds import FEEDS, Described, Feed
from okulo.algo.mesh.measure import angles_deg
from okulo.algo.mesh.normals import follow_normals
from okulo.core.protocols import Progress, silent
from okulo.nets.mesh.cascade import CascadeNet
from okulo.nets.mesh.graph import GraphNet
from okulo.nets.mesh.guide import GuideNet
from okulo.nets.mesh.patch import PatchNet
from okulo.nets.mesh.vectors import invariants
from okulo.train.mesh.pairs import Pair

NETWORKS: dict[str, type[nn.Module]] = {
    "cascade": CascadeNet,
    "graph": GraphNet,
    "patch": PatchNet,
    "guide": GuideNet,
}
STAGES = 2
MOST_ROWS = 3000
"""Faces in one step, of networks that answer face by face."""

BY_FACE = {"described", "volume"}
STAGE_FOLLOW = 15
"""Iterations of the vertices between the stages of the cascade."""


@dataclass(frozen=True)
class Lesson:
    """One piece of one pair, as tensors; `weight` makes every mesh count alike, however hard it is."""

    inputs: dict[str, Tensor]
    truth: Tensor
    weight: Tensor


def lessons(architecture: str, pairs: Sequence[Pair], stage: int | None = None) -> list[Lesson]:
    """Cut pairs into what a network takes at once."""
    made = []
    for pair in pairs:
        said = Described(pair.mesh, pair.near, pair.described, pair.surface)
        by_filter = [
            angles_deg(pair.described[:, k].astype(float), pair.truth).mean() for k in range(len(FILTERS))
        ]
        ease = 1 / (min(by_filter) + 0.5)
        made += [_lesson(feed, pair.truth, ease, stage) for feed in FEEDS[architecture](said)]
    return made


def _lesson(feed: Feed, truth: Float64[np.ndarray, "f 3"], ease: float, stage: int | None) -> Lesson:
    inputs = {name: torch.from_numpy(value) for name, value in feed.inputs.items()}
    if stage is not None:
        inputs["stage"] = torch.tensor([stage])
    wanted = truth[feed.faces]
    weight = feed.counts * wanted.any(axis=1) * ease
    return Lesson(inputs, torch.from_numpy(wanted).float(), torch.from_numpy(weight).float())


def fit(
    architecture: str, pairs: list[Pair], steps: int, rng: np.random.Generator, progress: Progress = silent
) -> nn.Module:
    """Train a network of this name; a cascade in stages, each on what the one before made of the pairs."""
    torch.manual_seed(int(rng.integers(2**31)))
    if architecture != "cascade":
        network = NETWORKS[architecture](vectors=len(FILTERS))
        _descend(network, lessons(architecture, pairs), steps, rng, progress, architecture)
        return network
    network = CascadeNet(vectors=len(FILTERS), stages=STAGES)
    for stage in range(STAGES):
        taught = lessons(architecture, pairs, stage)
        _set_centres(network, taught, stage, rng)
        _descend(network, taught, steps // STAGES, rng, progress, f"{architecture}, stage {stage + 1}")
        if stage + 1 < STAGES:
            pairs = [next_pair(network, pair, stage) for pair in progress(pairs, label="filtering again")]
    return network


def _descend(
    network: nn.Module,
    taught: Sequence[Lesson],
    steps: int,
    rng: np.random.Generator,
    progress: Progress,
    label: str,
) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=max(steps, 2), pct_start=0.1)
    for _ in progress(range(steps), label=f"training {label}"):
        lesson = _some(taught[int(rng.integers(len(taught)))], rng)
        guessed = network(**lesson.inputs)
        # The chord, not its square: the mean angle is what is judged, and few faces are very wrong.
        apart = ((guessed - lesson.truth).square().sum(1) + 1e-8).sqrt()
        loss = (apart * lesson.weight).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def _some(lesson: Lesson, rng: np.random.Generator) -> Lesson:
    """Take some of a lesson's faces, where they are learned from one by one; a graph stays whole."""
    count = len(lesson.truth)
    if count <= MOST_ROWS or not set(lesson.inputs) <= BY_FACE | {"surface", "stage"}:
        return lesson
    rows = torch.from_numpy(rng.choice(count, MOST_ROWS, replace=False))
    inputs = {name: value[rows] if name in BY_FACE else value for name, value in lesson.inputs.items()}
    return Lesson(inputs, lesson.truth[rows], lesson.weight[rows])


def _set_centres(network: CascadeNet, taught: Sequence[Lesson], stage: int, rng: np.random.Generator) -> None:
    """Put the clusters' centres where k-means puts them among a sample of descriptors."""
    sample = []
    for lesson in taught:
        found = invariants(lesson.inputs["described"], lesson.inputs["surface"]).numpy()
        sample.append(found[rng.choice(len(found), min(len(found), 400), replace=False)])
    means = KMeans(network.centres.shape[1], n_init=3, random_state=0).fit(np.concatenate(sample))
    network.centres[stage] = torch.from_numpy(means.cluster_centers_).float()


def guess(network: nn.Module, architecture: str, pair: Pair, stage: int = 0) -> Float64[np.ndarray, "f 3"]:
    """The network's normals for all faces of a pair's mesh."""
    total = np.zeros_like(pair.truth)
    said = Described(pair.mesh, pair.near, pair.described, pair.surface)
    with torch.no_grad():
        for feed in FEEDS[architecture](said):
            lesson = _lesson(feed, pair.truth, 1.0, stage if architecture == "cascade" else None)
            np.add.at(total, feed.faces[feed.counts], network(**lesson.inputs).numpy()[feed.counts])
    sizes = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(sizes, 1e-12))


def next_pair(network: nn.Module, pair: Pair, stage: int) -> Pair:
    """What a stage of the cascade makes of a pair: the mesh it leads to, described anew."""
    normals = guess(network, "cascade", pair, stage)
    mesh = follow_normals(pair.mesh, pair.near, normals, STAGE_FOLLOW)
    return replace(pair, mesh=mesh, described=describe_again(mesh, pair.near, pair.described))
