"""From feature maps to one vector: average, maximum, GeM, R-MAC, and several of them side by side."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from okulo.core.errors import BadInput

OVERLAP = 0.4
"""How much neighbouring regions of R-MAC overlap, at least (section 3.2 of the paper)."""


class Average(nn.Module):
    """The mean of each map (SPoC; Babenko & Lempitsky 2015, arXiv 1510.07493)."""

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
        """Pool."""
        return maps.mean(dim=(2, 3))


class Maximum(nn.Module):
    """The largest value of each map (MAC; Tolias et al. 2016, arXiv 1511.05879, section 3.1)."""

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
        """Pool."""
        return maps.amax(dim=(2, 3))


class Gem(nn.Module):
    """Generalised mean with an exponent that is learnt (Radenović et al. 2019, arXiv 1711.02512, eq. 3)."""

    def __init__(self, p: float = 3.0) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor(p))

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
        """Pool."""
        return maps.clamp(min=1e-6).pow(self.p).mean(dim=(2, 3)).pow(1 / self.p)


class RMac(nn.Module):
    """Regional maxima (Tolias et al. 2016, arXiv 1511.05879, section 3.2): square regions at several scales.

    Each region's maxima are brought to length 1 and summed. Of the paper's steps the whitening is left to the
    neck that follows, which is learnt.
    """

    def __init__(self, levels: int = 3) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
        """Pool."""
        total = torch.zeros_like(maps[:, :, 0, 0])
        for top, left, side in regions(int(maps.shape[2]), int(maps.shape[3]), self.levels):
            peak = maps[:, :, top : top + side, left : left + side].amax(dim=(2, 3))
            total = total + nn.functional.normalize(peak, dim=1)
        return total


def regions(height: int, width: int, levels: int) -> list[tuple[int, int, int]]:
    """Regions of R-MAC: (top, left, side). At scale l, squares of side 2·min(h, w)/(l + 1).

    >>> regions(4, 4, 2)
    [(0, 0, 4), (0, 0, 2), (0, 2, 2), (2, 0, 2), (2, 2, 2)]
    """
    short, long = min(height, width), max(height, width)
    # As many more along the longer side as overlap 40 % best, 6 at most.
    more = 0
    if long > short:
        steps = range(2, 8)
        overlap = [1 - ((long - short) / (step - 1)) / short for step in steps]
        more = 1 + min(range(len(overlap)), key=lambda i: abs(overlap[i] - OVERLAP))
    found = []
    for level in range(1, levels + 1):
        side = max(1, 2 * short // (level + 1))
        down = level + (more if height > width else 0)
        across = level + (more if width > height else 0)
        tops, lefts = _starts(height, side, down), _starts(width, side, across)
        found += [(top, left, side) for top in tops for left in lefts]
    return list(dict.fromkeys(found))


def _starts(length: int, side: int, count: int) -> list[int]:
    if count == 1:
        return [(length - side) // 2]
    return [int(i * (length - side) / (count - 1)) for i in range(count)]


class Combined(nn.Module):
    """Several poolings, each with a linear map, side by side (CGD; Jun et al. 2019, arXiv 1903.10663)."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        self.pools = nn.ModuleList([Average(), Maximum(), Gem()])
        sizes = [length - 2 * (length // 3), length // 3, length // 3]
        self.maps = nn.ModuleList([nn.Linear(channels, size, bias=False) for size in sizes])

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Pool each way, bring each part to length 1, and join."""
        parts = [
            nn.functional.normalize(turn(pool(maps)), dim=1) for pool, turn in zip(self.pools, self.maps)
        ]
        return torch.cat(parts, dim=1)


POOLINGS: Mapping[str, Callable[[], nn.Module]] = {
    "average": Average,
    "max": Maximum,
    "gem": Gem,
    "rmac": RMac,
}


def make_pooling(name: str, channels: int, length: int) -> tuple[nn.Module, int]:
    """Make a pooling, and say how many values it gives."""
    if name == "combined":
        return Combined(channels, length), length
    if name not in POOLINGS:
        raise BadInput("pooling", wanted=f"one of {', '.join(POOLINGS)}, combined", got=repr(name))
    return POOLINGS[name](), channels
