"""A guided-normal network in the manner of NormalNet (Zhao et al. 2019): voxels in, guidance normals out."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from okulo.nets.mesh.vectors import Invariants, blend, perceptron


class GuideNet(nn.Module):
    """The normal that leads a joint bilateral filter, from a small volume around each face.

    As in the paper: the faces around are put into voxels in the frame of the normal tensor, a 3-D convolution
    network finds the guidance normal, a joint bilateral filter follows it. Otherwise: 8 voxels a side instead
    of 40, two convolutions, one pass, and the answer is a weight for each filtered normal.
    """

    def __init__(self, vectors: int, told: int, hidden: int = 32) -> None:
        super().__init__()
        self.invariants = Invariants(vectors, told)
        self.look = nn.Sequential(
            nn.Conv3d(4, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv3d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 8, hidden),
            nn.ReLU(),
        )
        self.leave = perceptron(hidden + self.invariants.width, hidden, vectors)

    def forward(
        self,
        described: Float[Tensor, "n k 3"],
        context: Float[Tensor, "n a"],
        surface: Float[Tensor, "... s"],
        volume: Float[Tensor, "n 4 w w w"],
    ) -> Float[Tensor, "n 3"]:
        """Guidance normals of faces."""
        weights = self.leave(
            torch.cat([self.look(volume), self.invariants(described, context, surface)], dim=1)
        )
        return blend(described, weights)
