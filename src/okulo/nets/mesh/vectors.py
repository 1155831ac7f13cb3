"""What the mesh networks share: numbers that no rotation changes in, a blend of unit vectors out."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def gaps(described: Float[Tensor, "... k 3"]) -> Float[Tensor, "... p"]:
    """Distance of every pair of a face's vectors: k (k - 1) / 2 numbers that no rotation changes.

    >>> gaps(torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]])).round(decimals=2)
    tensor([1.4100, 0.0300, 1.4100])
    """
    count = described.shape[-2]
    first, second = torch.triu_indices(count, count, 1).unbind(0)
    products = described @ described.transpose(-1, -2)  # less memory than the differences
    sizes = torch.diagonal(products, dim1=-2, dim2=-1)
    squares = sizes.unsqueeze(-1) + sizes.unsqueeze(-2) - 2 * products
    return (squares.flatten(-2)[..., first * count + second].clamp(min=0) + 1e-3).sqrt()


class Invariants(nn.Module):
    """What a network goes by: the gaps, and what is told of the surroundings, brought to one size."""

    def __init__(self, vectors: int, told: int) -> None:
        super().__init__()
        self.width = vectors * (vectors - 1) // 2 + told
        self.mean = nn.Buffer(torch.zeros(self.width))
        self.spread = nn.Buffer(torch.ones(self.width))

    def forward(
        self,
        described: Float[Tensor, "... k 3"],
        context: Float[Tensor, "... a"],
        surface: Float[Tensor, "... s"],
    ) -> Float[Tensor, "... d"]:
        """Numbers that no rotation changes; `surface` is of the whole mesh, or of every face."""
        found = gaps(described)
        whole = surface.expand(*found.shape[:-1], -1)
        return (torch.cat([found, context, whole], dim=-1) - self.mean) / self.spread

    def fit(self, samples: Float[Tensor, "n d"]) -> None:
        """Take mean and spread from what an unfitted one makes of samples."""
        self.mean.copy_(samples.mean(0))
        self.spread.copy_(samples.std(0) + 0.02)


def blend(described: Float[Tensor, "... k 3"], weights: Float[Tensor, "... k"]) -> Float[Tensor, "... 3"]:
    """Weigh a face's vectors and make the sum a unit vector; weights of 0 give their mean."""
    mixed = ((weights + 1 / described.shape[-2]).unsqueeze(-1) * described).sum(-2)
    return mixed / (mixed.square().sum(-1, keepdim=True) + 1e-12).sqrt()


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden layers; the last layer starts at 0, so that the network starts as a plain mean."""
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), last)
