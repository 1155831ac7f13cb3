"""Which pairs and triplets of a batch to learn from; random ones soon are all easy and teach nothing.

What belongs together is a matrix, so that items with several labels are pairs where these overlap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


@dataclass(frozen=True)
class Together:
    """Which items of a batch are positives of each other, and which negatives; the rest does not count."""

    positive: Bool[Tensor, "n n"]
    negative: Bool[Tensor, "n n"]


def together(labels: Bool[Tensor, "n k"]) -> Together:
    """Items that share a label are positives, items that share none negatives; one without labels is neither.

    >>> pairs = together(torch.tensor([[True, False], [True, True], [False, True]]))
    >>> pairs.positive.int().tolist(), pairs.negative.int().tolist()
    ([[0, 1, 0], [1, 0, 1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    """
    share = (labels.float() @ labels.float().T) > 0
    known = labels.any(dim=1)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return Together(share & ~itself, ~share & known[:, None] & known[None, :])


Triplets = tuple[Int64[Tensor, " t"], Int64[Tensor, " t"], Int64[Tensor, " t"]]
"""Anchors, positives, negatives: rows of the batch."""


def every_triplet(pairs: Together) -> Triplets:
    """All there are."""
    valid = pairs.positive[:, :, None] & pairs.negative[:, None, :]
    a, p, n = valid.nonzero(as_tuple=True)
    return a, p, n


def semi_hard(cosine: Float[Tensor, "n n"], pairs: Together, margin: float) -> Triplets:
    """Negatives farther than the positive, but within the margin (Schroff et al. 2015, arXiv 1503.03832)."""
    gap = cosine[:, :, None] - cosine[:, None, :]
    valid = pairs.positive[:, :, None] & pairs.negative[:, None, :] & (gap > 0) & (gap < margin)
    a, p, n = valid.nonzero(as_tuple=True)
    return a, p, n


def hardest(cosine: Float[Tensor, "n n"], pairs: Together, margin: float) -> Triplets:
    """For each anchor the farthest positive and nearest negative (Hermans et al. 2017, arXiv 1703.07737)."""
    del margin
    p = cosine.masked_fill(~pairs.positive, torch.inf).argmin(dim=1)
    n = cosine.masked_fill(~pairs.negative, -torch.inf).argmax(dim=1)
    a = (pairs.positive.any(dim=1) & pairs.negative.any(dim=1)).nonzero()[:, 0]
    return a, p[a], n[a]


def by_distance(
    cosine: Float[Tensor, "n n"], pairs: Together, margin: float, length: int, rng: torch.Generator
) -> Triplets:
    """A negative for each positive pair, evenly over distances (Wu et al. 2017, arXiv 1706.07567, eq. 4).

    On the sphere most pairs are √2 apart; each is drawn by the inverse of its distance's density, cut at 0.5.
    """
    del margin
    apart = (2 - 2 * cosine).clamp(min=0.25).sqrt()
    density = (length - 2) * apart.log() + 0.5 * (length - 3) * (1 - 0.25 * apart**2).clamp(min=1e-6).log()
    chance = (-density - (-density).amax(dim=1, keepdim=True)).exp().clamp(min=1e-12)
    chance = chance * (pairs.negative & (apart < 1.4))
    a, p = pairs.positive.nonzero(as_tuple=True)
    kept = chance[a].sum(dim=1) > 0
    a, p = a[kept], p[kept]
    if not len(a):
        return a, p, p
    return a, p, torch.multinomial(chance[a].cpu(), 1, generator=rng)[:, 0].to(a.device)


MINERS: Mapping[str, Callable[..., Triplets]] = {"semi-hard": semi_hard, "hard": hardest}
MINER_NAMES = ("none", *MINERS, "distance")


def mine(
    name: str, vectors: Float[Tensor, "n d"], pairs: Together, margin: float, rng: torch.Generator
) -> Triplets:
    """Choose triplets of a batch of vectors (length 1)."""
    with torch.no_grad():
        cosine = vectors @ vectors.T
        if name == "none":
            return every_triplet(pairs)
        if name == "distance":
            return by_distance(cosine, pairs, margin, vectors.shape[1], rng)
        return MINERS[name](cosine, pairs, margin)


def easy_share(vectors: Float[Tensor, "n d"], pairs: Together, margin: float) -> float:
    """Share of all triplets whose negative is farther than the positive by the margin: they teach nothing.

    >>> at = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> easy_share(at, together(torch.tensor([[True, False], [True, False], [False, True]])), 0.2)
    1.0
    """
    with torch.no_grad():
        cosine = vectors @ vectors.T
        valid = pairs.positive[:, :, None] & pairs.negative[:, None, :]
        easy = (cosine[:, :, None] - cosine[:, None, :]) >= margin
        total = int(valid.sum())
        return float((easy & valid).sum()) / total if total else float("nan")
