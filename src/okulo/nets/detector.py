"""A small detector with anchors, as YOLO v3 (Redmon & Farhadi 2018, arXiv 1804.02767): trunk, neck and heads.

Where it differs: maps are joined by addition, as in a feature pyramid (Lin et al. 2017, 1612.03144), and
a centre may lie up to half a cell outside its own: 2σ(t) − ½ ("grid sensitivity" of YOLO v4, 2004.10934).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from okulo.core.errors import BadInput
from okulo.nets.blocks import conv_norm, initialise
from okulo.nets.resnet import basic_block
from okulo.nets.timm_backbone import create_features

COARSEST = 32
"""Pixels a cell of the coarsest map is wide; the input's sides are multiples of it."""
RARE = 0.01
"""How sure every cell is of an object before it learns (Lin et al. 2017, arXiv 1708.02002, sec. 4.1)."""
LARGEST = 4.0
"""A box is at most e⁴ times its anchor: so that one step cannot throw it out of all bounds."""


class PlainTrunk(nn.Module):
    """Two convolutions of stride 2, then stages that halve the map each: plain 3×3s, or residual blocks."""

    def __init__(self, kind: str, widths: Sequence[int], depths: Sequence[int], norm: str = "batch") -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv_norm(3, widths[0] // 2, stride=2, norm=norm),
            conv_norm(widths[0] // 2, widths[0], stride=2, norm=norm),
        )
        self.stages = nn.ModuleList()
        before = widths[0]
        for width, depth in zip(widths, depths):
            layers: list[nn.Module] = []
            for place in range(depth):
                stride = 1 if place else 2
                if kind == "resnet":
                    layers.append(basic_block(before, width, stride=stride, tweak_d=True, norm=norm))
                else:
                    layers.append(conv_norm(before, width, stride=stride, norm=norm))
                before = width
            self.stages.append(nn.Sequential(*layers))
        self.widths = list(widths)

    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> list[Tensor]:
        """Give the stages' maps, the finest first."""
        x, maps = self.stem(pixels), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class TimmTrunk(nn.Module):
    """The maps of a timm network at strides 8, 16 and 32."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.backbone, self.widths = create_features(model, strides=(8, 16, 32))

    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> list[Tensor]:
        """Give the maps, the finest first."""
        return list(self.backbone(pixels))


@dataclass(frozen=True)
class Grid:
    """Every candidate's place: its cell (x, y), its map's number of cells (w, h) and its anchor (shares)."""

    cell: Float[Tensor, "m 2"]
    cells: Float[Tensor, "m 2"]
    anchor: Float[Tensor, "m 2"]

    @classmethod
    def of(cls, size: tuple[int, int], anchors: Sequence[Sequence[Sequence[float]]]) -> "Grid":
        """Lay out the candidates: map after map (the finest first), anchor after anchor, row by row."""
        cell, cells, anchor = [], [], []
        for (high, wide), some in zip(map_sizes(size, len(anchors)), anchors):
            y, x = torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij")
            place = torch.stack([x, y], dim=-1).reshape(-1, 2).float()
            for pair in some:
                cell.append(place)
                cells.append(torch.tensor([wide, high]).float().expand_as(place))
                anchor.append(torch.tensor(pair).float().expand_as(place))
        return cls(torch.cat(cell), torch.cat(cells), torch.cat(anchor))


def map_sizes(size: tuple[int, int], scales: int) -> list[tuple[int, int]]:
    """Rows and columns of each map, the finest first.

    >>> map_sizes((64, 128), 2)
    [(4, 8), (2, 4)]
    """
    steps = [COARSEST >> k for k in range(scales - 1, -1, -1)]
    return [(size[0] // step, size[1] // step) for step in steps]


class Detector(nn.Module):
    """Pixels to `raw` numbers [n, candidates, 5 + k]; and, when evaluated, to boxes and scores.

    Of a candidate: x, y, w, h as they are learnt, how sure a box is there, and each class.
    """

    def __init__(
        self,
        trunk: PlainTrunk | TimmTrunk,
        *,
        classes: int,
        anchors: Sequence[Sequence[Sequence[float]]],
        size: tuple[int, int],
        neck: int,
        norm: str,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.each = 5 + classes
        self.anchors = [[list(pair) for pair in some] for some in anchors]
        self.size = size
        widths = trunk.widths[-len(anchors) :]
        self.sides = nn.ModuleList(conv_norm(width, neck, 1, norm=norm) for width in widths)
        self.mixes = nn.ModuleList(conv_norm(neck, neck, norm=norm) for _ in widths)
        self.heads = nn.ModuleList(nn.Conv2d(neck, len(some) * self.each, 1) for some in anchors)
        grid = Grid.of(size, self.anchors)
        for name in ("cell", "cells", "anchor"):
            self.register_buffer(name, getattr(grid, name), persistent=False)

    def start(self) -> None:
        """Draw first weights: heads small, and nothing sure of anything."""
        for head in self.heads:
            assert isinstance(head, nn.Conv2d) and head.bias is not None
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
            with torch.no_grad():
                head.bias.view(-1, self.each)[:, 4] = math.log(RARE / (1 - RARE))
                head.bias.view(-1, self.each)[:, 5:] = -math.log(max(self.each - 6, 1))

    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> dict[str, Tensor]:
        """Answer for a batch: `raw`; in evaluation also `candidate_boxes` and `candidate_scores`."""
        maps = self.trunk(pixels)[-len(self.heads) :]
        rows: list[Tensor] = []
        above: Tensor | None = None
        for side, mix, head, x in [*zip(self.sides, self.mixes, self.heads, maps)][::-1]:
            x = side(x)
            if above is not None:
                x = x + functional.interpolate(above, scale_factor=2.0, mode="nearest")
            above = mix(x)
            rows.append(self._rows(head(above)))
        raw = torch.cat(rows[::-1], dim=1)
        said = {"raw": raw}
        if not self.training:
            said["candidate_boxes"] = self.boxes(raw)
            said["candidate_scores"] = raw[..., 4:5].sigmoid() * raw[..., 5:].sigmoid()
        return said

    def boxes(self, raw: Float[Tensor, "n m c"]) -> Float[Tensor, "n m 4"]:
        """Read boxes (xyxy, shares of `pixels`) out of the raw numbers of all candidates."""
        return decode(raw, self.grid)

    @property
    def grid(self) -> Grid:
        """Where the candidates are."""
        return Grid(*(self.get_buffer(name) for name in ("cell", "cells", "anchor")))

    def _rows(self, answer: Float[Tensor, "n c h w"]) -> Float[Tensor, "n m e"]:
        n, channels, high, wide = answer.shape
        parts = answer.reshape(n, channels // self.each, self.each, high * wide)
        return parts.transpose(2, 3).reshape(n, channels // self.each * high * wide, self.each)


def decode(raw: Float[Tensor, "... c"], grid: Grid) -> Float[Tensor, "... 4"]:
    """Make boxes of raw numbers and the candidates' places: xyxy, shares.

    >>> one = Grid(torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 2.0]]), torch.tensor([[0.5, 0.25]]))
    >>> decode(torch.zeros(1, 6), one)  # the middle of the second cell, as large as its anchor
    tensor([[0.5000, 0.1250, 1.0000, 0.3750]])
    """
    centre = (grid.cell + 2 * raw[..., :2].sigmoid() - 0.5) / grid.cells
    half = grid.anchor * raw[..., 2:4].clamp(max=LARGEST).exp() / 2
    return torch.cat([centre - half, centre + half], dim=-1)


TRUNKS: dict[str, dict[str, Any]] = {
    "vgg-tiny": {"kind": "plain", "widths": [32, 64, 128], "depths": [1, 2, 2]},
    "vgg-small": {"kind": "plain", "widths": [48, 96, 192], "depths": [2, 2, 2]},
    "resnet-tiny": {"kind": "resnet", "widths": [32, 64, 128], "depths": [1, 1, 1]},
    "resnet-small": {"kind": "resnet", "widths": [48, 96, 192], "depths": [1, 2, 2]},
    "resnet-medium": {"kind": "resnet", "widths": [64, 128, 256], "depths": [2, 2, 2]},
}
"""What carries a detector, by the names of our families; the widths are those of strides 8, 16 and 32."""


def detector(
    *,
    trunk: str,
    classes: int,
    anchors: Sequence[Sequence[Sequence[float]]],
    size: Sequence[int],
    neck: int = 64,
    norm: str = "batch",
) -> Detector:
    """Build a detector with fresh weights.

    Args:
        trunk: one of `TRUNKS`, or a name of timm.
        classes: how many.
        anchors: for each map, the finest first, width and height of its anchors as shares of `pixels`.
        size: height and width of `pixels`, multiples of 32.
        neck: channels after the trunk.
        norm: of our own layers.

    >>> net = detector(trunk="vgg-tiny", classes=3, anchors=[[[0.2, 0.2]], [[0.5, 0.5]]], size=(64, 64))
    >>> net.eval()(torch.zeros(1, 3, 64, 64))["candidate_scores"].shape  # 4 × 4 cells and 2 × 2
    torch.Size([1, 20, 3])
    """
    if not 1 <= len(anchors) <= 3 or not all(anchors):
        raise BadInput("anchors", wanted="some for each of 1 to 3 maps", got=[len(some) for some in anchors])
    if any(side % COARSEST for side in size):
        raise BadInput("size", wanted=f"multiples of {COARSEST}", got=tuple(size))
    carrier = PlainTrunk(**TRUNKS[trunk], norm=norm) if trunk in TRUNKS else TimmTrunk(trunk)
    made = Detector(
        carrier, classes=classes, anchors=anchors, size=(int(size[0]), int(size[1])), neck=neck, norm=norm
    )
    if trunk in TRUNKS:
        initialise(made)
    made.start()
    return made
