"""Brier's score as a loss: squared error of probabilities (Brier 1950), also called MSE on softmax."""

import torch
from jaxtyping import Float
from torch import Tensor


def brier(
    logits: Float[Tensor, "n k"],
    targets: Float[Tensor, "n k"],
    weights: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, " n"]:
    """`Σ wₖ (pₖ − tₖ)²` of each row; 0 to 2 for one-hot targets, so one wrong label pulls only so hard.

    >>> brier(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([0.5000])
    """
    terms = (torch.softmax(logits, dim=1) - targets) ** 2
    return (terms if weights is None else terms * weights).sum(dim=1)
