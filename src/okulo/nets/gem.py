"""A pretrained network's feature maps, pooled for comparing pictures instead of naming what they show."""

from jaxtyping import Float
from torch import Tensor, nn

from okulo.nets.timm_backbone import create


def generalised_mean(maps: Float[Tensor, "n c h w"], p: float = 3.0) -> Float[Tensor, "n c"]:
    """Pool each map by its generalised mean (GeM; Radenović et al. 2019, arXiv 1711.02512, equation 3).

    p = 1 is the average, p → ∞ the maximum; negative values count as 0.

    >>> import torch
    >>> round(generalised_mean(torch.tensor([[[[0.0, 2.0]]]]), p=3.0).item() ** 3, 3)
    4.0
    """
    return maps.clamp(min=1e-6).pow(p).mean(dim=(2, 3)).pow(1 / p)


class GemBackbone(nn.Module):
    """A timm network without its head; `embedding` is the generalised mean of its last maps."""

    def __init__(self, model: str, *, p: float = 3.0) -> None:
        super().__init__()
        self.backbone = create(model)
        self.p = p

    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> dict[str, Tensor]:
        """Answer for a batch: `embedding` [n, d]."""
        maps = self.backbone.forward_features(pixels)  # type: ignore[operator]  # timm's, not a tensor
        return {"embedding": generalised_mean(maps, self.p)}
