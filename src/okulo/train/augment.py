"""Changes to batches of pictures that keep what they show. They run on the training device, on whole batches.

Flips and shifts are drawn picture by picture. torchvision's v2 transforms draw once a call, so they are
called on small groups of the batch (`GROUP`): the batch is shuffled, so its neighbours are strangers.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from okulo.core.errors import need

GROUP = 8
"""Pictures that share one draw of a torchvision transform."""
JPEG_QUALITY = (20.0, 80.0)
LUMA = (0.299, 0.587, 0.114)

Change = Callable[[Tensor, torch.Generator], Tensor]
"""uint8 `[n, 3, H, W]` to the same; randomness from the generator (CPU)."""


def flip(pictures: UInt8[Tensor, "n 3 H W"], rng: torch.Generator) -> UInt8[Tensor, "n 3 H W"]:
    """Mirror each picture left to right with probability ½."""
    mirrored = torch.rand(len(pictures), generator=rng).lt(0.5).to(pictures.device)
    return torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures)


def shift(pictures: UInt8[Tensor, "n 3 H W"], share: float, rng: torch.Generator) -> UInt8[Tensor, "n 3 H W"]:
    """Move each picture by up to `share` of its sides, its border repeated (pad and crop of each its own).

    >>> one = torch.arange(4, dtype=torch.uint8).reshape(1, 1, 2, 2).expand(1, 3, 2, 2)
    >>> bool((shift(one, 0.0, torch.Generator()) == one).all())
    True
    """
    n, _, height, width = pictures.shape
    rows = _moved(n, height, share, rng).to(pictures.device)
    columns = _moved(n, width, share, rng).to(pictures.device)
    pick = torch.arange(n, device=pictures.device)[:, None, None]
    return pictures.permute(0, 2, 3, 1)[pick, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _moved(n: int, side: int, share: float, rng: torch.Generator) -> Tensor:
    most = round(share * side)
    by = torch.randint(-most, most + 1, (n, 1), generator=rng)
    return (torch.arange(side) + by).clamp(0, side - 1)


def jpeg(pictures: UInt8[Tensor, "n 3 H W"], share: float, rng: torch.Generator) -> UInt8[Tensor, "n 3 H W"]:
    """Pass a share of the pictures through kornia's JPEG at a random low quality (20 to 80).

    The codec is differentiable (Reich et al. 2024); used here before the network, so no gradient is asked.
    """
    kornia = need("kornia.enhance", extra="train")
    chosen = torch.rand(len(pictures), generator=rng).lt(share)
    low, high = JPEG_QUALITY
    quality = low + (high - low) * torch.rand(int(chosen.sum()), generator=rng)
    if not len(quality):
        return pictures
    chosen = chosen.to(pictures.device)
    with torch.no_grad():
        poor = kornia.jpeg_codec_differentiable(pictures[chosen] / 255, quality.to(pictures.device))
    out = pictures.clone()
    out[chosen] = (poor * 255).round().clamp(0, 255).to(torch.uint8)
    return out


def tint(
    pictures: UInt8[Tensor, "n 3 H W"], strength: float, rng: torch.Generator
) -> UInt8[Tensor, "n 3 H W"]:
    """Change brightness, contrast, saturation and the balance of the colours, each picture its own.

    All four are one 3×3 matrix and one offset a picture, so that it costs little: factors are drawn from
    1 ± strength, those of the single colours from 1 ± strength / 3.

    >>> grey = torch.full((1, 3, 2, 2), 128, dtype=torch.uint8)
    >>> bool((tint(grey, 0.0, torch.Generator()) == grey).all())
    True
    """
    n = len(pictures)
    draw = 1 + (2 * torch.rand((n, 6), generator=rng) - 1) * strength
    bright, contrast, saturation = draw[:, 0], draw[:, 1], draw[:, 2]
    balance = 1 + (draw[:, 3:] - 1) / 3
    grey = torch.tensor(LUMA).expand(3, 3)
    mixing = saturation[:, None, None] * torch.eye(3) + (1 - saturation)[:, None, None] * grey
    matrix = ((bright * contrast)[:, None] * balance)[:, :, None] * mixing
    planes = pictures.float().flatten(2)
    middle = 128 * (1 - contrast)[:, None, None].to(pictures.device)
    made = torch.baddbmm(middle.expand(n, 3, 1), matrix.to(pictures.device), planes)
    return made.round_().clamp_(0, 255).to(torch.uint8).view(pictures.shape)


def by_groups(transform: Callable[[Tensor], Tensor]) -> Change:
    """Make a change of a torchvision transform: one draw for every `GROUP` pictures.

    torchvision draws from torch's global generator; it is seeded from ours for the call, and put back.
    """

    def change(pictures: Tensor, rng: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**31, (1,), generator=rng))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return torch.cat([transform(part) for part in torch.split(pictures, GROUP)])

    return change


def make_changes(
    *,
    flips: bool = False,
    shifts: float = 0.0,
    colour: float = 0.0,
    erase: float = 0.0,
    jpegs: float = 0.0,
    policy: str = "none",
) -> list[Change]:
    """Say which changes are made, in order; nothing asked for is an empty list."""
    v2 = need("torchvision.transforms.v2", extra="train")
    changes: list[Change] = []
    if flips:
        changes.append(flip)
    if shifts:
        changes.append(lambda pictures, rng: shift(pictures, shifts, rng))
    if policy != "none":
        automatic = {"trivial": v2.TrivialAugmentWide, "rand": v2.RandAugment}[policy]
        changes.append(by_groups(automatic()))
    if colour:
        changes.append(by_groups(v2.ColorJitter(colour, colour, colour, colour / 10)))
    if jpegs:
        changes.append(lambda pictures, rng: jpeg(pictures, jpegs, rng))
    if erase:
        changes.append(by_groups(v2.RandomErasing(p=erase)))
    return changes


def mixup(
    pixels: Float[Tensor, "n 3 H W"], targets: Float[Tensor, "n k"], alpha: float, rng: torch.Generator
) -> tuple[Float[Tensor, "n 3 H W"], Float[Tensor, "n k"]]:
    """Blend each picture and its target with another's (Zhang et al. 2018, arXiv 1710.09412).

    One λ ~ Beta(α, α) a batch, at least ½, partners by a random permutation, as the paper's own code has it.
    """
    seed = int(torch.randint(2**31, (1,), generator=rng))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # torch's Beta takes no generator
        share = float(torch.distributions.Beta(alpha, alpha).sample())
    share = max(share, 1 - share)
    other = torch.randperm(len(pixels), generator=rng).to(pixels.device)
    return pixels.lerp(pixels[other], 1 - share), targets.lerp(targets[other], 1 - share)
