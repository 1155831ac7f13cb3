"""What a detector with anchors minimises: the loss of YOLO v3, with box terms that know of overlap.

Redmon & Farhadi 2018 (arXiv 1804.02767, sec. 2): a candidate is responsible for a truth by its cell and its
anchor; its place and size are learnt, that it is sure, and each class as a yes or no of its own. Candidates
that nobody is responsible for learn that nothing is there, but for those that overlap with a truth.

Where it differs: a truth has several responsible candidates (every anchor that is like it, and the two
nearest cells beside its own), which learns much faster in short runs; as YOLO v4 and its successors do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from okulo.nets.detector import Detector, Grid, decode, map_sizes
from okulo.nets.losses.boxes import box_iou, pair_iou

LIKE = 0.4
"""An anchor is like a box from this overlap of their sizes on; the most alike is always taken."""
NEAR = 0.6
"""Candidates that overlap with a truth by more are not told that nothing is there."""
WEIGHTS = {"box": 5.0, "sure": 1.0, "classes": 1.0}


@dataclass(frozen=True)
class Truth:
    """All boxes of a batch: whose picture's each is, xyxy as shares of `pixels`, and its class."""

    picture: Int64[Tensor, " t"]
    box: Float[Tensor, "t 4"]
    label: Int64[Tensor, " t"]


@dataclass(frozen=True)
class Pairs:
    """Which candidate of which picture is responsible for which row of the truth."""

    picture: Int64[Tensor, " p"]
    candidate: Int64[Tensor, " p"]
    truth: Int64[Tensor, " p"]


def match(network: Detector, truth: Truth) -> Pairs:
    """Find the responsible candidates: by anchor (`LIKE`), and by cell, with the two nearest beside it."""
    device = truth.box.device
    centre, sides = (truth.box[:, :2] + truth.box[:, 2:]) / 2, truth.box[:, 2:] - truth.box[:, :2]
    sizes = map_sizes(network.size, len(network.anchors))
    anchors = torch.tensor([pair for some in network.anchors for pair in some], device=device)
    both = torch.minimum(sides[:, None], anchors[None]).prod(dim=2)
    alike = both / (sides.prod(dim=1)[:, None] + anchors.prod(dim=1)[None] - both + 1e-9)
    good = alike >= LIKE
    good |= functional.one_hot(alike.argmax(dim=1), len(anchors)).bool()
    pictures, candidates, rows = [], [], []
    start = number = 0
    for (high, wide), some in zip(sizes, network.anchors):
        room = torch.tensor([wide, high], device=device)
        for _ in some:
            row = good[:, number].nonzero()[:, 0]
            for cell, mine in _cells(centre[row], room):
                candidates.append(start + cell[:, 1] * wide + cell[:, 0])
                rows.append(row[mine])
                pictures.append(truth.picture[row[mine]])
            start, number = start + high * wide, number + 1
    return Pairs(torch.cat(pictures), torch.cat(candidates), torch.cat(rows))


def _cells(centre: Tensor, room: Tensor) -> list[tuple[Tensor, Tensor]]:
    """A centre's cell, and the nearest one left or right and above or below; with the rows that have it."""
    place = centre * room
    own = torch.minimum(place.floor().clamp(min=0), room - 1).long()
    part = place - own
    everyone = torch.arange(len(own), device=own.device)
    made = [(own, everyone)]
    for axis in (0, 1):
        beside = own.clone()
        beside[:, axis] += torch.where(part[:, axis] < 0.5, -1, 1)
        inside = (beside[:, axis] >= 0) & (beside[:, axis] < room[axis])
        made.append((beside[inside], everyone[inside]))
    return made


def detection_loss(
    network: Detector, box_loss: str = "ciou", *, iou_aware: bool = True
) -> Callable[[Float[Tensor, "n m c"], Truth], dict[str, Tensor]]:
    """Make the loss of a batch's raw numbers: `loss`, and its parts `box`, `sure` and `classes`.

    Args:
        network: says where its candidates are.
        box_loss: `v3` (log-likelihood of the place, squares of the logarithms of the sides, small boxes
            weighing more), or 1 − `iou`, `giou`, `diou`, `ciou`.
        iou_aware: how sure a candidate should be is its overlap with the truth, not 1 (Wu et al. 2020,
            arXiv 1912.05992, join both in one number as here).
    """

    def loss_of(raw: Float[Tensor, "n m c"], truth: Truth) -> dict[str, Tensor]:
        raw = raw.float()
        grid = network.grid
        pairs = match(network, truth)
        wanted = torch.zeros_like(raw[..., 4])
        parts = {name: raw.sum() * 0 for name in ("box", "classes")}
        if len(pairs.truth):
            chosen = raw[pairs.picture, pairs.candidate]
            mine = Grid(*(part[pairs.candidate] for part in (grid.cell, grid.cells, grid.anchor)))
            target = truth.box[pairs.truth]
            found = decode(chosen, mine)
            if box_loss == "v3":
                parts["box"] = plain_box_loss(chosen, mine, target).mean()
            else:
                parts["box"] = (1 - box_iou(found, target, box_loss)).mean()
            labels = functional.one_hot(truth.label[pairs.truth], raw.shape[2] - 5).float()
            parts["classes"] = functional.binary_cross_entropy_with_logits(
                chosen[:, 5:], labels, reduction="none"
            ).sum(dim=1).mean()  # fmt: skip
            overlap = box_iou(found, target).detach().clamp(min=0) if iou_aware else torch.ones(len(found))
            wanted[pairs.picture, pairs.candidate] = overlap.to(wanted.device)
        count = max(1, len(pairs.truth))
        off = functional.binary_cross_entropy_with_logits(raw[..., 4], wanted, reduction="none")
        parts["sure"] = (off * told(raw, grid, truth, pairs)).sum() / count
        loss = sum((WEIGHTS[name] * value for name, value in parts.items()), start=raw.sum() * 0)
        return {"loss": loss, **parts}

    return loss_of


def plain_box_loss(
    raw: Float[Tensor, "p c"], grid: Grid, target: Float[Tensor, "p 4"]
) -> Float[Tensor, " p"]:
    """The box term of YOLO v3's program: places by cross-entropy, logarithms of sides by squares.

    Both are weighed by 2 − the box's share of the picture; a fifth, since `WEIGHTS` is made for 1 − IoU.
    """
    place = (target[:, :2] + target[:, 2:]) / 2 * grid.cells - grid.cell
    sides = (target[:, 2:] - target[:, :2]).clamp(min=1e-6)
    where = functional.binary_cross_entropy_with_logits(
        raw[:, :2], ((place + 0.5) / 2).clamp(0, 1), reduction="none"
    )
    large = (raw[:, 2:4] - (sides / grid.anchor).log()) ** 2 / 2
    return (2 - sides.prod(dim=1)) * (where + large).sum(dim=1) / WEIGHTS["box"]


@torch.no_grad()
def told(raw: Float[Tensor, "n m c"], grid: Grid, truth: Truth, pairs: Pairs) -> Float[Tensor, "n m"]:
    """Which candidates learn how sure to be: the responsible ones, and those that overlap with no truth."""
    n = len(raw)
    counts = torch.bincount(truth.picture, minlength=n)
    there = torch.zeros((n, int(counts.max()) if len(counts) else 0, 4), device=raw.device)
    first = torch.cat([counts.new_zeros(1), counts.cumsum(0)[:-1]])
    order = torch.argsort(truth.picture, stable=True)
    slot = torch.arange(len(order), device=raw.device) - first[truth.picture[order]]
    there[truth.picture[order], slot] = truth.box[order]
    learns = torch.ones(raw.shape[:2], device=raw.device)
    if there.shape[1]:
        learns = (pair_iou(decode(raw, grid), there).amax(dim=2) <= NEAR).float()
    learns[pairs.picture, pairs.candidate] = 1.0
    return learns


def batch_truth(batch: Mapping[str, Tensor]) -> Truth:
    """Read the truth out of a batch."""
    return Truth(batch["picture"], batch["boxes"], batch["labels"])
