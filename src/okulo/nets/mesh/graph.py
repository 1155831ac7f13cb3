"""Facet-graph convolutions (Armando, Franco & Boyer 2020): an encoder and decoder on the graph of faces."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from okulo.nets.mesh.vectors import Invariants, blend, perceptron


class FeastConv(nn.Module):
    """Feature-steered graph convolution (Verma, Boyer & Verbeek 2018): neighbours choose among matrices.

    Neighbour j's features go to matrix m by the softmax over m of u_m·(x_j - x_i) + c_m; the sum is
    averaged.
    """

    def __init__(self, inputs: int, outputs: int, matrices: int = 4) -> None:
        super().__init__()
        self.steer = nn.Linear(inputs, matrices)
        self.mix = nn.Linear(inputs * matrices + inputs, outputs)

    def forward(self, values: Float[Tensor, "n c"], near: Int64[Tensor, "n r"]) -> Float[Tensor, "n o"]:
        """Features of nodes with `near` as their neighbours."""
        around = values[near]
        shares = torch.softmax(self.steer(around - values.unsqueeze(1)), dim=-1)
        gathered = (shares.transpose(1, 2) @ around) / near.shape[1]
        return torch.relu(self.mix(torch.cat([gathered.flatten(1), values], dim=1)))


class GraphNet(nn.Module):
    """Weights of each face's filtered normals from convolutions over the facet graph, fine and once coarser.

    As in the paper: nodes are faces, feature-steered convolutions, pooling to coarser graphs and back.
    Otherwise: faces bring distances between filtered normals (nothing a rotation changes) and are answered by
    weights, where the paper takes normals and positions and answers normals; one coarser level, not two.
    """

    def __init__(self, vectors: int, told: int, hidden: int = 32) -> None:
        super().__init__()
        self.invariants = Invariants(vectors, told)
        inputs = self.invariants.width
        self.enter = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU())
        self.fine = nn.ModuleList([FeastConv(hidden, hidden) for _ in range(2)])
        self.coarse = nn.ModuleList([FeastConv(hidden, hidden) for _ in range(2)])
        self.back = FeastConv(2 * hidden, hidden)
        self.leave = perceptron(hidden + inputs, hidden, vectors)

    def forward(
        self,
        described: Float[Tensor, "n k 3"],
        context: Float[Tensor, "n a"],
        surface: Float[Tensor, "... s"],
        ring: Int64[Tensor, "n r"],
        parent: Int64[Tensor, " n"],
        members: Int64[Tensor, "c 4"],
        coarse: Int64[Tensor, "c r"],
    ) -> Float[Tensor, "n 3"]:
        """Normals of faces: `ring` their neighbours, `parent` their cluster, `coarse` the clusters' own."""
        inputs = self.invariants(described, context, surface)
        values = self.enter(inputs)
        for each in self.fine:
            values = each(values, ring)
        pooled = values[members].amax(1)
        for each in self.coarse:
            pooled = each(pooled, coarse)
        values = self.back(torch.cat([values, pooled[parent]], dim=1), ring)
        return blend(described, self.leave(torch.cat([values, inputs], dim=1)))
