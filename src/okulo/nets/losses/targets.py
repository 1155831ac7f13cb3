"""From class numbers to target probabilities, and weights of classes."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor


def smooth_targets(labels: Int64[Tensor, " n"], classes: int, smoothing: float = 0.0) -> Float[Tensor, "n k"]:
    """Put 1−ε on the label and ε/(K−1) on every other class (He et al. 2019, eq. 4; Szegedy et al. 2016).

    Differs from torch's `label_smoothing`, which spreads ε over all K classes, the label among them.

    >>> smooth_targets(torch.tensor([1]), 3, 0.1)
    tensor([[0.0500, 0.9000, 0.0500]])
    """
    off = smoothing / (classes - 1)
    targets = torch.full((len(labels), classes), off, device=labels.device)
    return targets.scatter_(1, labels[:, None], 1 - smoothing)


def balanced_weights(labels: Int64[np.ndarray, " n"], classes: int) -> Float[np.ndarray, " k"]:
    """Weights against unbalanced classes: n / (K·count), whose average over the rows is 1.

    A class with no row weighs nothing.

    >>> balanced_weights(np.array([0, 0, 0, 1]), 2).round(3).tolist()
    [0.667, 2.0]
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.zeros(classes)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights


def gap_optimum(classes: int, smoothing: float) -> float:
    """The gap between the two top logits that label smoothing asks for: log((K−1)(1−ε)/ε).

    He et al. 2019, sec. 5.2; infinite without smoothing.

    >>> round(gap_optimum(1000, 0.1), 1)
    9.1
    """
    return float(np.log((classes - 1) * (1 - smoothing) / smoothing)) if smoothing > 0 else float("inf")
