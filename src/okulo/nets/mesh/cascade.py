"""Cascaded normal regression (Wang, Liu & Tong 2016): a regression for each cluster of faces, in stages."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from okulo.nets.mesh.vectors import Invariants, blend


class CascadeNet(nn.Module):
    """Stage `stage` of the cascade: the cluster a face's descriptor is nearest to says which regression.

    As in the paper: filtered facet normals as descriptors, k-means clusters, one small regression each, a
    cascade that filters the mesh of the stage before again. Otherwise: two hidden layers, not one; more kinds
    of filters; the distances between the descriptor's normals go in and their weights come out, where the
    paper rotates normals into the frame of the normal tensor, whose axes are undecided on flat faces.
    """

    def __init__(self, vectors: int, told: int, stages: int = 2, clusters: int = 4, hidden: int = 64) -> None:
        super().__init__()
        self.invariants = Invariants(vectors, told)
        inputs = self.invariants.width
        self.centres = nn.Buffer(torch.zeros(stages, clusters, inputs))
        self.first = nn.Parameter(torch.randn(stages, clusters, inputs, hidden) / inputs**0.5)
        self.first_bias = nn.Parameter(torch.zeros(stages, clusters, 1, hidden))
        self.second = nn.Parameter(torch.randn(stages, clusters, hidden, hidden) / hidden**0.5)
        self.second_bias = nn.Parameter(torch.zeros(stages, clusters, 1, hidden))
        self.last = nn.Parameter(torch.zeros(stages, clusters, hidden, vectors))

    def forward(
        self,
        described: Float[Tensor, "n k 3"],
        context: Float[Tensor, "n a"],
        surface: Float[Tensor, "... s"],
        stage: Int64[Tensor, " 1"],
    ) -> Float[Tensor, "n 3"]:
        """Normals of faces."""
        inputs = self.invariants(described, context, surface)
        centres = self.centres.index_select(0, stage)[0]
        scores = inputs @ centres.T - centres.square().sum(1) / 2
        mine = nn.functional.one_hot(scores.argmax(1), centres.shape[0]).to(inputs.dtype)
        hidden = torch.relu(inputs @ _of(self.first, stage) + _of(self.first_bias, stage))
        hidden = torch.relu(hidden @ _of(self.second, stage) + _of(self.second_bias, stage))
        weights = hidden @ _of(self.last, stage)
        return blend(described, (weights * mine.T.unsqueeze(-1)).sum(0))


def _of(values: Tensor, stage: Tensor) -> Tensor:
    return values.index_select(0, stage)[0]
