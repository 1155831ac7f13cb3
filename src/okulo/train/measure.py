"""How well a network answers while it learns: in fp32, on pictures that nothing was changed in."""

from dataclasses import dataclass

import torch
from torch import nn

from okulo.core.model import Preprocess
from okulo.nets.losses.ce import cross_entropy
from okulo.nets.losses.targets import smooth_targets
from okulo.train.data import Pictures
from okulo.train.feed import plain_batches
from okulo.train.loop import answer_all

BATCH = 256


@dataclass(frozen=True)
class Measured:
    """Accuracy, mean cross-entropy, and the mean gap between the two highest logits."""

    accuracy: float
    loss: float
    logit_gap: float


def measure(network: nn.Module, pictures: Pictures, preprocess: Preprocess, device: torch.device) -> Measured:
    """Measure a network on labelled pictures; what is measured is what will be exported."""
    logits = answer_all(network, plain_batches(pictures, preprocess, device, BATCH))
    labels = torch.from_numpy(pictures.labels)
    top = logits.topk(2, dim=1).values
    return Measured(
        accuracy=float((logits.argmax(dim=1) == labels).float().mean()),
        loss=float(cross_entropy(logits, smooth_targets(labels, logits.shape[1])).mean()),
        logit_gap=float((top[:, 0] - top[:, 1]).mean()),
    )
