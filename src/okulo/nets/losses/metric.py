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
MARGINS = {"contrastive": 0.3, "arcface": 17.2, "sub-centre": 17.2}
"""Where nothing else is said: a cosine, and angles in degrees."""
SCALES = {"n-pair": 10.0, "arcface": 32.0, "sub-centre": 32.0}
"""What cosines are multiplied by before the softmax."""
CENTRES = 2
APART = 0.02
"""How far from their class's mean several centres begin, so that they can part (a share of its length)."""


class MetricLoss(nn.Module):
    """One of the losses; `forward` gives a mean over what was chosen, 0 where nothing was.

    `margin` is the triplet's; `own` is contrastive's (the cosine below which negatives are let be) or
    ArcFace's (degrees); `scale` is 1/temperature of n-pair, and ArcFace's s.
    """

    def __init__(
        self,
        name: str,
        length: int,
        classes: int,
        margin: float,
        own: float | None = None,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        losses: Any = need("pytorch_metric_learning.losses", extra="train", verb="--recipe embed")
        self.name = name
        if name not in METRIC_LOSSES:
            raise BadInput("metric-loss", wanted=f"one of {', '.join(METRIC_LOSSES)}", got=repr(name))
        own = MARGINS.get(name, 0.0) if own is None else own
        scale = SCALES.get(name, 1.0) if scale is None else scale
        make: Mapping[str, Callable[[], nn.Module]] = {
            # Hadsell et al. 2006, on cosines: positives to 1, negatives below the margin.
            "contrastive": lambda: losses.ContrastiveLoss(pos_margin=1, neg_margin=own, distance=_cosine()),
            # Schroff et al. 2015, on cosines.
            "triplet": lambda: losses.TripletMarginLoss(margin=margin, distance=_cosine()),
            # Sohn 2016 on vectors of length 1: softmax over one positive and all negatives (NT-Xent's form).
            "n-pair": lambda: losses.NTXentLoss(temperature=1 / scale),
            # Deng et al. 2019, arXiv 1801.07698.
            "arcface": lambda: losses.ArcFaceLoss(
                num_classes=classes, embedding_size=length, margin=own, scale=scale
            ),
            # Deng et al. 2020: several centres a class.
            "sub-centre": lambda: losses.SubCenterArcFaceLoss(
                num_classes=classes, embedding_size=length, margin=own, scale=scale, sub_centers=CENTRES
            ),
        }
        self.loss = make[name]()

    @torch.no_grad()
    def start_centres(self, vectors: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]) -> None:
        """Put every class's centre where its items are now; the other losses have none.

        From random centres, thousands of classes with a few items each would first pull the embedding apart
        and need many epochs to gather it again.
        """
        if self.name not in BY_CLASS:
            return
        places: Tensor = self.loss.W  # type: ignore[assignment]  # [length, classes × centres]
        each = CENTRES if self.name == "sub-centre" else 1
        classes = places.shape[1] // each
        sums = torch.zeros(classes, vectors.shape[1], device=vectors.device).index_add_(0, labels, vectors)
        middle = nn.functional.normalize(sums, dim=1).repeat_interleave(each, dim=0)
        if each > 1:
            middle = middle + APART * nn.functional.normalize(places.T, dim=1)
        found = (torch.bincount(labels, minlength=classes) > 0).repeat_interleave(each)
        places[:, found] = middle[found].T

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
