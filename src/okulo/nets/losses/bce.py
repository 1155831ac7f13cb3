"""Binary cross-entropy, every class for itself."""

import torch
from jaxtyping import Float
from torch import Tensor


def binary_cross_entropy(
    logits: Float[Tensor, "n k"],
    targets: Float[Tensor, "n k"],
    weights: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, " n"]:
    """Sum over the classes of `−t log σ(z) − (1−t) log(1−σ(z))`, written `max(z,0) − z·t + log(1+exp(−|z|))`.

    >>> binary_cross_entropy(torch.tensor([[0.0, -1000.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([0.6931])
    """
    terms = logits.clamp(min=0) - logits * targets + torch.log1p(torch.exp(-logits.abs()))
    return (terms if weights is None else terms * weights).sum(dim=1)
