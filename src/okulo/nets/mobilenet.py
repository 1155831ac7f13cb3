"""MobileNet's inverted residuals (Sandler et al. 2018, arXiv 1801.04381, sec. 3.3 and table 1)."""

from collections.abc import Sequence

from torch import Tensor, nn

from okulo.core.errors import BadInput
from okulo.nets.blocks import Classifier, conv_norm, initialise


class InvertedResidual(nn.Module):
    """Wide inside, narrow outside: 1×1 up, depthwise 3×3, linear 1×1 down; added to its input if it fits."""

    def __init__(self, inside: int, outside: int, *, stride: int, expand: int, norm: str = "batch") -> None:
        super().__init__()
        wide = inside * expand
        layers = [conv_norm(inside, wide, 1, norm=norm, act=nn.ReLU6)] if expand > 1 else []
        layers += [
            conv_norm(wide, wide, stride=stride, groups=wide, norm=norm, act=nn.ReLU6),
            conv_norm(wide, outside, 1, norm=norm, act=None),
        ]
        self.path = nn.Sequential(*layers)
        self.adds = stride == 1 and inside == outside

    def zero_init_last(self) -> None:
        """Make the block start as the identity, where it adds to its input."""
        if self.adds:
            nn.init.zeros_(self.path[-1][1].weight)  # type: ignore[index]  # conv_norm's norm

    def forward(self, x: Tensor) -> Tensor:
        """Expand, look around, project; add where shapes allow."""
        out: Tensor = self.path(x)
        return x + out if self.adds else out


def mobilenet(
    *,
    classes: int,
    widths: Sequence[int] = (16, 24, 40, 80),
    depths: Sequence[int] = (1, 2, 2, 2),
    expand: int = 4,
    stem_kind: str = "small",
    norm: str = "batch",
    dropout: float = 0.0,
) -> Classifier:
    """Build a MobileNet: a 3×3 stem, stages of inverted residuals, a 1×1 convolution that widens four times.

    Each stage but the first halves the size; `stem_kind` "imagenet" halves once more at the start.

    >>> import torch
    >>> mobilenet(classes=10)(torch.zeros(2, 3, 32, 32))["embedding"].shape
    torch.Size([2, 320])
    """
    if len(widths) != len(depths):
        raise BadInput("depths", wanted=f"{len(widths)} numbers as widths has", got=len(depths))
    if stem_kind not in ("small", "imagenet"):
        raise BadInput("stem", wanted="small or imagenet", got=repr(stem_kind))
    stride = 2 if stem_kind == "imagenet" else 1
    layers: list[nn.Module] = [conv_norm(3, widths[0], stride=stride, norm=norm, act=nn.ReLU6)]
    before = widths[0]
    for stage, (width, depth) in enumerate(zip(widths, depths)):
        for place in range(depth):
            stride = 2 if stage and not place else 1
            expands = expand if stage else 1
            layers.append(InvertedResidual(before, width, stride=stride, expand=expands, norm=norm))
            before = width
    layers.append(conv_norm(before, 4 * before, 1, norm=norm, act=nn.ReLU6))
    network = Classifier(nn.Sequential(*layers), 4 * before, classes=classes, dropout=dropout)
    initialise(network)
    return network
