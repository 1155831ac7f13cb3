"""Cross-entropy, computed stably."""

from jaxtyping import Float
from torch import Tensor


def log_softmax(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """`z − m − log Σ exp(z − m)` with m the row's largest logit, so that nothing overflows.

    >>> import torch
    >>> log_softmax(torch.tensor([[1000.0, 1000.0]]))
    tensor([[-0.6931, -0.6931]])
    """
    shifted = logits - logits.amax(dim=1, keepdim=True).detach()
    return shifted - shifted.exp().sum(dim=1, keepdim=True).log()


def cross_entropy(
    logits: Float[Tensor, "n k"],
    targets: Float[Tensor, "n k"],
    weights: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, " n"]:
    """Cross-entropy of each row, `−Σ wₖ tₖ log pₖ`; targets are probabilities.

    >>> import torch
    >>> cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([0.6931])
    """
    terms = targets * log_softmax(logits)
    return -(terms if weights is None else terms * weights).sum(dim=1)
