"""Focal loss: what is already easy counts less (Lin et al. 2017, arXiv 1708.02002, eq. 4)."""

import torch
from jaxtyping import Float
from torch import Tensor

from okulo.nets.losses.ce import log_softmax


def focal(
    logits: Float[Tensor, "n k"],
    targets: Float[Tensor, "n k"],
    weights: Float[Tensor, " k"] | None = None,
    gamma: float = 2.0,
) -> Float[Tensor, " n"]:
    """`−Σ wₖ tₖ (1−pₖ)^γ log pₖ` with softmax probabilities; γ = 0 is cross-entropy.

    The paper's is binary; this is the usual form for exclusive classes.

    >>> focal(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))  # 0.25 · log 2
    tensor([0.1733])
    """
    log_p = log_softmax(logits)
    # expm1 keeps 1−p exact where p is nearly 1; the clamp keeps the root of γ < 1 differentiable at 0.
    off = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
    terms = targets * off**gamma * log_p
    return -(terms if weights is None else terms * weights).sum(dim=1)
