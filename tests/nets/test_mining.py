"""Miners and metric losses against loops."""

import math

import pytest
import torch

from okulo.core.errors import BadInput
from okulo.nets.losses.metric import METRIC_LOSSES, MetricLoss
from okulo.nets.mining import MINER_NAMES, easy_share, every_triplet, mine, together

MARGIN = 0.1


def batch(n: int = 12, d: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    vectors = torch.nn.functional.normalize(torch.randn(n, d, generator=rng), dim=1)
    labels = torch.zeros(n, 4, dtype=torch.bool)
    labels[torch.arange(n), torch.arange(n) % 4] = True
    labels[0, 2] = True  # two labels
    labels[5] = False  # none
    return vectors, labels


def triplets(labels: torch.Tensor) -> list[tuple[int, int, int]]:
    sets = [set(row.nonzero()[:, 0].tolist()) for row in labels]
    n = len(sets)
    return [
        (a, p, q)
        for a in range(n) for p in range(n) for q in range(n)
        if a != p and sets[a] & sets[p] and sets[q] and sets[a] and not sets[a] & sets[q]
    ]  # fmt: skip


def test_pairs_are_where_label_sets_overlap() -> None:
    _, labels = batch()
    a, p, n = every_triplet(together(labels))
    assert list(zip(a.tolist(), p.tolist(), n.tolist())) == triplets(labels)


def test_miners_choose_what_their_papers_say() -> None:
    vectors, labels = batch()
    cosine, pairs, rng = vectors @ vectors.T, together(labels), torch.Generator().manual_seed(0)
    every = triplets(labels)
    gap = {(a, p, n): float(cosine[a, p] - cosine[a, n]) for a, p, n in every}
    semi = mine("semi-hard", vectors, pairs, MARGIN, rng)
    assert list(zip(*(x.tolist() for x in semi))) == [t for t in every if 0 < gap[t] < MARGIN]
    hard = list(zip(*(x.tolist() for x in mine("hard", vectors, pairs, MARGIN, rng))))
    for anchor, p, n in hard:
        assert gap[anchor, p, n] == min(gap[t] for t in every if t[0] == anchor)
    assert len(hard) == len({a for a, _, _ in every})
    drawn = list(zip(*(x.tolist() for x in mine("distance", vectors, pairs, MARGIN, rng))))
    assert set(drawn) <= set(every)
    assert easy_share(vectors, pairs, MARGIN) == pytest.approx(
        sum(g >= MARGIN for g in gap.values()) / len(gap), abs=1e-6
    )


def test_distance_weighted_draws_near_negatives_more_often_than_chance() -> None:
    vectors, labels = batch(60, 16)
    pairs = together(labels)
    rng = torch.Generator().manual_seed(0)
    cosine = vectors @ vectors.T
    a, _, n = mine("distance", vectors, pairs, MARGIN, rng)
    every_a, _, every_n = every_triplet(pairs)
    assert cosine[a, n].mean() > cosine[every_a, every_n].mean() + 0.1


def test_triplet_and_contrastive_are_loops() -> None:
    vectors, labels = batch()
    pairs = together(labels)
    cosine = vectors @ vectors.T
    chosen = every_triplet(pairs)
    ids = labels.int().argmax(dim=1)
    values = [max(0.0, float(cosine[a, n] - cosine[a, p]) + MARGIN) for a, p, n in zip(*chosen)]
    some = [v for v in values if v > 0]
    loss = MetricLoss("triplet", 6, 4, MARGIN)(vectors, ids, pairs, chosen)
    assert loss.item() == pytest.approx(sum(some) / len(some), abs=1e-5)
    positive = {(int(a), int(p)) for a, p in zip(chosen[0], chosen[1])}
    negative = {(int(a), int(n)) for a, n in zip(chosen[0], chosen[2])}
    near = [max(0.0, 1 - float(cosine[pair])) for pair in positive]
    far = [max(0.0, float(cosine[pair]) - 0.3) for pair in negative]
    mean = [sum(each) / max(1, sum(v > 0 for v in each)) for each in (near, far)]
    loss = MetricLoss("contrastive", 6, 4, MARGIN)(vectors, ids, pairs, chosen)
    assert loss.item() == pytest.approx(sum(mean), abs=1e-5)


def test_n_pair_is_a_softmax_over_one_positive_and_all_negatives() -> None:
    vectors, labels = batch()
    pairs = together(labels)
    cosine = vectors @ vectors.T / 0.1
    chosen = every_triplet(pairs)
    said = []
    for a, p in {(int(a), int(p)) for a, p in zip(chosen[0], chosen[1])}:
        others = [float(cosine[a, n]) for n in range(12) if pairs.negative[a, n]]
        said.append(math.log(sum(math.exp(x) for x in [*others, float(cosine[a, p])])) - float(cosine[a, p]))
    loss = MetricLoss("n-pair", 6, 4, MARGIN)(vectors, labels.int().argmax(dim=1), pairs, chosen)
    assert loss.item() == pytest.approx(sum(said) / len(said), abs=1e-4)


@pytest.mark.parametrize("name", METRIC_LOSSES)
def test_every_loss_falls_when_it_is_followed(name: str) -> None:
    torch.manual_seed(0)
    vectors, _ = batch(16, 8)
    ids = torch.arange(16) % 4
    pairs = together(torch.nn.functional.one_hot(ids, 4).bool())
    free = vectors.clone().requires_grad_(True)
    loss = MetricLoss(name, 8, 4, MARGIN)
    steps = torch.optim.SGD([free, *loss.parameters()], lr=0.1)
    values = []
    for _ in range(15):
        at = torch.nn.functional.normalize(free, dim=1)
        value = loss(at, ids, pairs, every_triplet(pairs))
        steps.zero_grad()
        value.backward()
        steps.step()
        values.append(value.item())
    assert values[-1] < values[0]


def test_a_batch_without_pairs_teaches_nothing() -> None:
    vectors, labels = batch()
    labels[:] = torch.eye(12, 4, dtype=torch.bool)
    pairs = together(torch.eye(12, dtype=torch.bool))
    for miner in MINER_NAMES:
        chosen = mine(miner, vectors, pairs, MARGIN, torch.Generator())
        assert len(chosen[0]) == 0
        assert MetricLoss("triplet", 6, 4, MARGIN)(vectors, torch.arange(12), pairs, chosen).item() == 0
    with pytest.raises(BadInput, match="metric-loss: expected one of contrastive"):
        MetricLoss("square", 6, 4, MARGIN)


def test_centres_begin_where_their_classes_are() -> None:
    vectors, _ = batch(8, 6)
    ids = torch.tensor([0, 0, 1, 1, 1, 3, 3, 3])
    means = torch.stack([torch.nn.functional.normalize(vectors[ids == k].mean(0), dim=0) for k in (0, 1, 3)])
    loss = MetricLoss("arcface", 6, 4, MARGIN)
    before = loss.loss.W.detach().clone()  # type: ignore[operator, union-attr]
    loss.start_centres(vectors, ids)
    now = loss.loss.W.detach()  # type: ignore[operator, union-attr]
    torch.testing.assert_close(now.T[[0, 1, 3]], means)  # type: ignore[index, union-attr]
    torch.testing.assert_close(now[:, 2], before[:, 2])  # type: ignore[index]  # a class without items
    several = MetricLoss("sub-centre", 6, 4, MARGIN)
    several.start_centres(vectors, ids)
    pairs = several.loss.W.detach().T.reshape(4, 2, 6)[[0, 1, 3]]  # type: ignore[operator, union-attr]
    assert (torch.nn.functional.cosine_similarity(pairs, means[:, None], dim=2) > 0.999).all()
    assert ((pairs[:, 0] - pairs[:, 1]).norm(dim=1) > 1e-3).all()
    MetricLoss("triplet", 6, 4, MARGIN).start_centres(vectors, ids)  # has none, and does nothing


@pytest.mark.parametrize("name", ["arcface", "sub-centre"])
def test_arcface_is_a_softmax_with_an_angle_more(name: str) -> None:
    vectors, _ = batch(8, 6)
    ids = torch.arange(8) % 4
    loss = MetricLoss(name, 6, 4, MARGIN, own=30.0, scale=8.0)
    places = torch.nn.functional.normalize(loss.loss.W.detach().T, dim=1)  # type: ignore[operator, union-attr]
    said = []
    for vector, own in zip(vectors, ids.tolist()):
        cosine = (places @ vector).reshape(4, -1).amax(dim=1).tolist()  # of several centres the nearest
        angle = math.acos(cosine[own]) + math.radians(30)
        more = math.cos(angle) if angle <= math.pi else cosine[own] - math.radians(30) * 0.5
        every = [8 * (more if k == own else cosine[k]) for k in range(4)]
        said.append(math.log(sum(math.exp(x) for x in every)) - every[own])
    pairs = together(torch.nn.functional.one_hot(ids, 4).bool())
    value = loss(vectors, ids, pairs, every_triplet(pairs))
    assert value.item() == pytest.approx(sum(said) / len(said), abs=1e-4)
