"""What all our networks are built of: convolution + norm + activation, and the head that answers."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from okulo.core.errors import BadInput

GROUPS = 8


def group_norm(channels: int) -> nn.Module:
    """Group norm (Wu & He 2018) with 8 groups, or fewer that divide the channels: free of the batch."""
    return nn.GroupNorm(next(g for g in range(min(GROUPS, channels), 0, -1) if channels % g == 0), channels)


NORMS: Mapping[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "group": group_norm}


def norm_layer(name: str, channels: int) -> nn.Module:
    """Make the norm of this name for so many channels."""
    if name not in NORMS:
        raise BadInput("norm", wanted=f"one of {', '.join(NORMS)}", got=repr(name))
    return NORMS[name](channels)


def conv_norm(
    inside: int,
    outside: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    groups: int = 1,
    norm: str = "batch",
    act: type[nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Convolution without bias, norm, activation; padded so that stride 1 keeps the size.

    >>> conv_norm(3, 8, stride=2)(torch.zeros(1, 3, 9, 9)).shape
    torch.Size([1, 8, 5, 5])
    """
    padding = (kernel - 1) // 2
    layers: list[nn.Module] = [
        nn.Conv2d(inside, outside, kernel, stride=stride, padding=padding, groups=groups, bias=False),
        norm_layer(norm, outside),
    ]
    if act is not None:
        layers.append(act())
    return nn.Sequential(*layers)


class Classifier(nn.Module):
    """Features, averaged over the picture (`embedding`), and one linear layer (`logits`)."""

    def __init__(self, features: nn.Module, channels: int, *, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.features = features
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, classes)

    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> dict[str, Tensor]:
        """Answer for a batch: `logits` [n, k] and `embedding` [n, d]."""
        embedding = self.features(pixels).mean(dim=(2, 3))
        return {"logits": self.head(self.dropout(embedding)), "embedding": embedding}


def initialise(network: nn.Module) -> None:
    """Draw convolutions as He et al. 2015 (arXiv 1502.01852, eq. 14), norms start as the identity."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


@torch.no_grad()
def zero_gamma(network: nn.Module) -> int:
    """Start every residual block as the identity: γ of its last norm is 0 (He et al. 2019, sec. 3.1).

    Works for our blocks and timm's, which both have `zero_init_last`. Returns how many blocks there were.
    """
    starts = [getattr(module, "zero_init_last", None) for module in network.modules()]
    found = [start for start in starts if start is not None]
    for start in found:
        start()
    return len(found)
