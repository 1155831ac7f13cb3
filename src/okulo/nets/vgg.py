"""VGG: nothing but 3×3 convolutions and max pooling (Simonyan & Zisserman 2015, arXiv 1409.1556, sec. 2)."""

from collections.abc import Sequence

from torch import nn

from okulo.core.errors import BadInput
from okulo.nets.blocks import Classifier, conv_norm, initialise


def vgg(
    *,
    classes: int,
    widths: Sequence[int] = (32, 64, 128),
    depths: Sequence[int] = (2, 2, 2),
    norm: str = "batch",
    dropout: float = 0.0,
) -> Classifier:
    """Build a VGG: stage i is `depths[i]` convolutions of `widths[i]` channels; stages are pooled 2×2 apart.

    Differs from the paper: norm after each convolution, and average pooling with one linear layer instead
    of three, which hold 90 % of the paper's weights.

    >>> net = vgg(classes=10, widths=(8, 16), depths=(1, 2))
    >>> sum(p.numel() for p in net.parameters())
    3922
    """
    if len(widths) != len(depths):
        raise BadInput("depths", wanted=f"{len(widths)} numbers as widths has", got=len(depths))
    layers: list[nn.Module] = []
    before = 3
    for stage, (width, depth) in enumerate(zip(widths, depths)):
        if stage:
            layers.append(nn.MaxPool2d(2))
        for _ in range(depth):
            layers.append(conv_norm(before, width, norm=norm))
            before = width
    network = Classifier(nn.Sequential(*layers), before, classes=classes, dropout=dropout)
    initialise(network)
    return network
