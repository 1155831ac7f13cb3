"""A network that embeds pictures: backbone, pooling, and a neck that ends on the unit sphere."""

from jaxtyping import Float
from torch import Tensor, nn

from okulo.core.errors import BadInput
from okulo.nets.pooling import make_pooling
from okulo.nets.timm_backbone import create

ALL = -1
"""Every layer learns."""


class EmbeddingNetwork(nn.Module):
    """A timm network's last maps, pooled, turned and normalised: `embedding` [n, length].

    The neck is one linear map that begins as a random rotation, so that at first likeness is the backbone's.
    """

    def __init__(self, model: str, *, pooling: str = "gem", length: int = 256) -> None:
        super().__init__()
        self.backbone = create(model)
        channels = int(self.backbone.num_features)  # type: ignore[arg-type]  # timm's, not a tensor
        self.pool, pooled = make_pooling(pooling, channels, length)
        self.neck = nn.Linear(pooled, length)
        nn.init.orthogonal_(self.neck.weight)
        nn.init.zeros_(self.neck.bias)

    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> dict[str, Tensor]:
        """Answer for a batch: `embedding` [n, length], each of length 1."""
        return {"embedding": self.head(self.backbone.forward_features(pixels))}  # type: ignore[operator]

    def head(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """From the backbone's last maps to embeddings."""
        return nn.functional.normalize(self.neck(nn.functional.normalize(self.pool(maps), dim=1)), dim=1)

    def front(self, pixels: Float[Tensor, "n 3 H W"], last: int) -> Tensor:
        """What lies before the last blocks: computed once where only those learn."""
        if last == ALL:
            return pixels
        if last == 0:
            return self.backbone.forward_features(pixels)  # type: ignore[operator,no-any-return]
        maps = self.backbone.bn1(self.backbone.conv_stem(pixels))  # type: ignore[operator]
        out: Tensor = self._blocks()[:-last](maps)
        return out

    def back(self, maps: Tensor, last: int) -> Float[Tensor, "n d"]:
        """The rest, from what `front` gave to embeddings."""
        if last == ALL:
            return self.forward(maps)["embedding"]
        if last:
            maps = self._blocks()[-last:](maps)
            maps = self.backbone.bn2(self.backbone.conv_head(maps))  # type: ignore[operator]
        return self.head(maps)

    def learning(self, last: int) -> list[nn.Parameter]:
        """The backbone's parameters that learn."""
        if last == ALL:
            return list(self.backbone.parameters())
        if last == 0:
            return []
        parts = (self._blocks()[-last:], self.backbone.conv_head, self.backbone.bn2)
        return [p for part in parts for p in part.parameters()]  # type: ignore[union-attr]

    def _blocks(self) -> nn.Sequential:
        blocks = getattr(self.backbone, "blocks", None)
        if not isinstance(blocks, nn.Sequential) or not hasattr(self.backbone, "conv_head"):
            raise BadInput(
                "train-last", wanted="0 or -1 for this network", got="a number of blocks it has not"
            )
        return blocks


def embedding(*, model: str, pooling: str = "gem", length: int = 256, classes: int = 0) -> EmbeddingNetwork:
    """Build the network of a description; it has no classes.

    >>> import torch
    >>> embedding(model="tf_efficientnet_lite0", length=8)(torch.zeros(1, 3, 64, 64))["embedding"].shape
    torch.Size([1, 8])
    """
    del classes
    return EmbeddingNetwork(model, pooling=pooling, length=length).eval()
