"""Losses that bring together what belongs together, by pytorch-metric-learning, on triplets we mine."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from okulo.core.errors import BadInput, need
from okulo.nets.mining import Together, Triplets

METRIC_LOSSES = ("contrastive", "triplet", "n-pair", "arcface", "sub-centre")
BY_CLASS = ("arcface", "sub-centre")
"""These learn a place for every class: they need one label an item, and take no miner."""


class MetricLoss(nn.Module):
    """One of the losses; `forward` gives a mean over what was chosen, 0 where nothing was."""

    def __init__(self, name: str, length: int, classes: int, margin: float) -> None:
        super().__init__()
        losses: Any = need("pytorch_metric_learning.losses", extra="train", verb="--recipe embed")
        self.name = name
        if name not in METRIC_LOSSES:
            raise BadInput("metric-loss", wanted=f"one of {', '.join(METRIC_LOSSES)}", got=repr(name))
        make: Mapping[str, Callable[[], nn.Module]] = {
            # Hadsell et al. 2006, on cosines: positives to 1, negatives below the margin.
            "contrastive": lambda: losses.ContrastiveLoss(pos_margin=1, neg_margin=0.3, distance=_cosine()),
            # Schroff et al. 2015, on cosines.
            "triplet": lambda: losses.TripletMarginLoss(margin=margin, distance=_cosine()),
            # Sohn 2016 on vectors of length 1: softmax over one positive and all negatives (NT-Xent's form).
            "n-pair": lambda: losses.NTXentLoss(temperature=0.1),
            # Deng et al. 2019, arXiv 1801.07698.
            "arcface": lambda: losses.ArcFaceLoss(
                num_classes=classes, embedding_size=length, margin=17.2, scale=32
            ),
            # Deng et al. 2020: several centres a class.
            "sub-centre": lambda: losses.SubCenterArcFaceLoss(
                num_classes=classes, embedding_size=length, margin=17.2, scale=32, sub_centers=2
            ),
        }
        self.loss = make[name]()

    def forward(
        self,
        vectors: Float[Tensor, "n d"],
        labels: Int64[Tensor, " n"],
        pairs: Together,
        triplets: Triplets,
    ) -> Tensor:
        """The loss of a batch."""
        if self.name in BY_CLASS:
            said: Tensor = self.loss(vectors, labels)
            return said
        if not len(triplets[0]):
            return vectors.sum() * 0
        if self.name == "triplet":
            chosen: tuple[Tensor, ...] = triplets
        else:
            a, p, n = triplets
            chosen = (*_once(a, p, len(vectors)), *_once(a, n, len(vectors)))
        if self.name == "n-pair":
            a, p = _once(triplets[0], triplets[1], len(vectors))
            chosen = (a, p, *pairs.negative.nonzero(as_tuple=True))
        out: Tensor = self.loss(vectors, indices_tuple=chosen)
        return out


def _once(a: Tensor, b: Tensor, n: int) -> tuple[Tensor, Tensor]:
    both = torch.unique(a * n + b)
    return both // n, both % n


def _cosine() -> Any:
    distances: Any = need("pytorch_metric_learning.distances", extra="train", verb="--recipe embed")
    return distances.CosineSimilarity()
