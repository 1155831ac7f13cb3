"""Patch-based normal filtering in the manner of DNF-Net (Li et al. 2020): whole patches in and out."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from okulo.nets.mesh.vectors import Invariants, blend, perceptron


class PatchNet(nn.Module):
    """Denoised normals of all faces of a patch at once; a face's answers in several patches are averaged.

    As in the paper: patches of noisy normals with their local structure, features embedded at two scales by
    grouping neighbours, patches that overlap. Otherwise: distances between filtered normals go in and weights
    come out (no rotation changes them), one step instead of a cascade, 64 faces a patch instead of 800.
    """

    def __init__(self, vectors: int, told: int, hidden: int = 32) -> None:
        super().__init__()
        self.invariants = Invariants(vectors, told)
        inputs = self.invariants.width
        self.enter = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU())
        self.small = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU())
        self.large = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU())
        self.leave = perceptron(4 * hidden + inputs, hidden, vectors)

    def forward(
        self,
        described: Float[Tensor, "p m k 3"],
        context: Float[Tensor, "p m a"],
        surface: Float[Tensor, "... s"],
        links: Int64[Tensor, "p m r"],
    ) -> Float[Tensor, "q 3"]:
        """Normals (p·m, 3) of patches; `links` are each face's neighbours as places within its patch."""
        inputs = self.invariants(described, context, surface)
        values = self.enter(inputs)
        small = _grouped(values, links, self.small)
        large = _grouped(small, links, self.large)
        whole = large.amax(1, keepdim=True).expand(-1, values.shape[1], -1)
        weights = self.leave(torch.cat([inputs, values, small, large, whole], dim=2))
        return blend(described, weights).flatten(0, 1)


def _grouped(
    values: Float[Tensor, "p m c"], links: Int64[Tensor, "p m r"], layer: nn.Module
) -> Float[Tensor, "p m c"]:
    """Largest of what `layer` makes of each neighbour beside the face itself (an edge convolution)."""
    patches, size, width = links.shape
    first = (torch.arange(patches, device=values.device) * size).view(-1, 1, 1)
    around = values.flatten(0, 1)[(links + first).flatten()].view(patches, size, width, -1)
    mine = values.unsqueeze(2).expand(-1, -1, width, -1)
    found: Tensor = layer(torch.cat([mine, around - mine], dim=3))
    return found.amax(2)
