"""What the mesh networks share: numbers that no rotation changes in, a blend of unit vectors out."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

SURFACE = 6
"""How many numbers say what the whole surface is like."""


def gaps(described: Float[Tensor, "... k 3"]) -> Float[Tensor, "... p"]:
    """Distance of every pair of a face's vectors: k (k - 1) / 2 numbers that no rotation changes.

    >>> gaps(torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]])).round(decimals=2)
    tensor([1.4100, 0.0300, 1.4100])
    """
    count = described.shape[-2]
    first, second = torch.triu_indices(count, count, 1).unbind(0)
    apart = described[..., first, :] - described[..., second, :]
    return (apart.square().sum(-1) + 1e-3).sqrt()


def invariants(described: Float[Tensor, "... k 3"], surface: Float[Tensor, " s"]) -> Float[Tensor, "... c"]:
    """The gaps, and what is the same for the whole mesh (`surface_of`)."""
    found = gaps(described)
    return torch.cat([found, surface.expand(*found.shape[:-1], -1)], dim=-1)


def blend(described: Float[Tensor, "... k 3"], weights: Float[Tensor, "... k"]) -> Float[Tensor, "... 3"]:
    """Weigh a face's vectors and make the sum a unit vector; weights of 0 give their mean."""
    mixed = ((weights + 1 / described.shape[-2]).unsqueeze(-1) * described).sum(-2)
    return mixed / (mixed.square().sum(-1, keepdim=True) + 1e-12).sqrt()


def width(vectors: int) -> int:
    """How many numbers `invariants` gives for so many vectors."""
    return vectors * (vectors - 1) // 2 + SURFACE


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden layers; the last layer starts at 0, so that the network starts as a plain mean."""
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), last)
