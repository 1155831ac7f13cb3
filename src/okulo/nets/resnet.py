"""ResNet (He et al. 2016, arXiv 1512.03385) with the tweaks B, C and D of He et al. 2019, each a switch.

The tweaks are those of "Bag of Tricks" (arXiv 1812.01187), section 4.1 and figure 2:
B moves the stride of a bottleneck from its first 1×1 to its 3×3 convolution; C replaces the stem's wide
convolution by three 3×3; D averages 2×2 before the shortcut's 1×1, which else skips ¾ of its input.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from okulo.core.errors import BadInput
from okulo.nets.blocks import Classifier, conv_norm, initialise

STEMS = ("small", "imagenet")
BLOCKS = ("basic", "bottleneck")
WIDER = 4
"""A bottleneck's output has four times the channels of its 3×3 convolution."""


class Residual(nn.Module):
    """`relu(path(x) + shortcut(x))`."""

    def __init__(self, path: nn.Sequential, last_norm: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.path = path
        self.last_norm = [last_norm]  # in a list: it is the path's module, not a second one
        self.shortcut = shortcut
        self.act = nn.ReLU()

    def zero_init_last(self) -> None:
        """Make the block start as its shortcut alone."""
        nn.init.zeros_(self.last_norm[0].weight)  # type: ignore[arg-type]  # every norm has a weight

    def forward(self, x: Tensor) -> Tensor:
        """Add what the path found to what came in."""
        out: Tensor = self.act(self.path(x) + self.shortcut(x))
        return out


def shortcut(inside: int, outside: int, *, stride: int, tweak_d: bool, norm: str) -> nn.Module:
    """The way around: nothing, or a 1×1 convolution where the shape changes."""
    if stride == 1 and inside == outside:
        return nn.Identity()
    if tweak_d and stride > 1:
        # ceil_mode and count_include_pad=False: odd sizes halve as the path's stride does.
        pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
        return nn.Sequential(pool, conv_norm(inside, outside, 1, norm=norm, act=None))
    return conv_norm(inside, outside, 1, stride=stride, norm=norm, act=None)


def basic_block(inside: int, width: int, *, stride: int, tweak_d: bool, norm: str) -> Residual:
    """Two 3×3 convolutions (arXiv 1512.03385, fig. 5 left)."""
    second = conv_norm(width, width, norm=norm, act=None)
    path = nn.Sequential(conv_norm(inside, width, stride=stride, norm=norm), second)
    return Residual(path, second[1], shortcut(inside, width, stride=stride, tweak_d=tweak_d, norm=norm))


def bottleneck(inside: int, width: int, *, stride: int, tweak_b: bool, tweak_d: bool, norm: str) -> Residual:
    """1×1 down, 3×3, 1×1 up (fig. 5 right); `tweak_b` puts the stride on the 3×3."""
    outside = WIDER * width
    last = conv_norm(width, outside, 1, norm=norm, act=None)
    path = nn.Sequential(
        conv_norm(inside, width, 1, stride=1 if tweak_b else stride, norm=norm),
        conv_norm(width, width, 3, stride=stride if tweak_b else 1, norm=norm),
        last,
    )
    return Residual(path, last[1], shortcut(inside, outside, stride=stride, tweak_d=tweak_d, norm=norm))


def stem(kind: str, width: int, *, tweak_c: bool, norm: str) -> nn.Sequential:
    """First layers: `imagenet` shrinks four times, `small` (for pictures of 28 to 64 px) not at all."""
    if kind not in STEMS:
        raise BadInput("stem", wanted=f"one of {', '.join(STEMS)}", got=repr(kind))
    stride = 2 if kind == "imagenet" else 1
    half = max(1, width // 2)
    if tweak_c:
        layers: list[nn.Module] = [
            conv_norm(3, half, stride=stride, norm=norm),
            conv_norm(half, half, norm=norm),
            conv_norm(half, width, norm=norm),
        ]
    else:
        layers = [conv_norm(3, width, 7 if kind == "imagenet" else 3, stride=stride, norm=norm)]
    if kind == "imagenet":
        layers.append(nn.MaxPool2d(3, stride=2, padding=1))
    return nn.Sequential(*layers)


def resnet(
    *,
    classes: int,
    widths: Sequence[int] = (32, 64, 128),
    depths: Sequence[int] = (1, 1, 1),
    block: str = "basic",
    stem_kind: str = "small",
    tweak_b: bool = True,
    tweak_c: bool = True,
    tweak_d: bool = True,
    norm: str = "batch",
    dropout: float = 0.0,
) -> Classifier:
    """Build a ResNet: stage i is `depths[i]` blocks of `widths[i]`; each stage but the first halves the size.

    `resnet(classes=1000, widths=(64, 128, 256, 512), depths=(3, 4, 6, 3), block="bottleneck",
    stem_kind="imagenet")` is ResNet-50-D; without the tweaks it is the paper's ResNet-50.

    >>> plain = resnet(classes=10, widths=(8, 16), depths=(1, 1), tweak_b=False, tweak_c=False, tweak_d=False)
    >>> sum(p.numel() for p in plain.parameters())
    5266
    """
    if len(widths) != len(depths):
        raise BadInput("depths", wanted=f"{len(widths)} numbers as widths has", got=len(depths))
    if block not in BLOCKS:
        raise BadInput("block", wanted=f"one of {', '.join(BLOCKS)}", got=repr(block))
    layers: list[nn.Module] = [stem(stem_kind, widths[0], tweak_c=tweak_c, norm=norm)]
    before = widths[0]
    for stage, (width, depth) in enumerate(zip(widths, depths)):
        for place in range(depth):
            stride = 2 if stage and not place else 1
            if block == "basic":
                layers.append(basic_block(before, width, stride=stride, tweak_d=tweak_d, norm=norm))
                before = width
            else:
                layers.append(
                    bottleneck(before, width, stride=stride, tweak_b=tweak_b, tweak_d=tweak_d, norm=norm)
                )
                before = WIDER * width
    network = Classifier(nn.Sequential(*layers), before, classes=classes, dropout=dropout)
    initialise(network)
    return network
