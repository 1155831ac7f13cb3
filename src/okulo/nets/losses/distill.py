"""Distillation: a student learns the softened answers of a teacher (Hinton et al. 2015, arXiv 1503.02531)."""

from jaxtyping import Float
from torch import Tensor

from okulo.nets.losses.ce import log_softmax


def distill(
    student: Float[Tensor, "n k"], teacher: Float[Tensor, "n k"], temperature: float = 4.0
) -> Float[Tensor, " n"]:
    """`T² · KL(softmax(teacher/T) ‖ softmax(student/T))` of each row.

    T² keeps the size of the gradients when T changes (sec. 2).

    >>> import torch
    >>> distill(torch.tensor([[2.0, 0.0]]), torch.tensor([[2.0, 0.0]]))
    tensor([0.])
    """
    soft = log_softmax(teacher / temperature)
    divergence = (soft.exp() * (soft - log_softmax(student / temperature))).sum(dim=1)
    return temperature**2 * divergence
