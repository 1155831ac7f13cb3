"""How far a box is from the one it should be: 1 − IoU and its kin, which know which way to go."""

import torch
from jaxtyping import Float
from torch import Tensor

TINY = 1e-7


def box_iou(a: Float[Tensor, "n 4"], b: Float[Tensor, "n 4"], kind: str = "iou") -> Float[Tensor, " n"]:
    """Overlap of box i of `a` with box i of `b` (xyxy), or a kin of it that also tells boxes apart that miss.

    - `iou`: intersection over union;
    - `giou`: less the share of the enclosing box that neither fills (Rezatofighi et al. 2019, 1902.09630);
    - `diou`, `ciou`: less the squared distance of the centres over the enclosing box's diagonal, and for
      `ciou` also less a term for unlike proportions (Zheng et al. 2020, arXiv 1911.08287, eq. 6 to 11).

    >>> a, b = torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 1, 3, 3]])
    >>> box_iou(a, b).item(), box_iou(a, b, "giou").item()  # 1/7; 1/7 - 2/9
    (0.142..., -0.079...)
    """
    inner = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(dim=1)
    size_a, size_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    union = size_a.prod(dim=1) + size_b.prod(dim=1) - inner + TINY
    iou = inner / union
    if kind == "iou":
        return iou
    around = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    if kind == "giou":
        whole = around.prod(dim=1) + TINY
        return iou - (whole - union) / whole
    apart = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) ** 2).sum(dim=1) / 4
    said = iou - apart / ((around**2).sum(dim=1) + TINY)
    if kind == "diou":
        return said
    angle = torch.atan(size_b[:, 0] / (size_b[:, 1] + TINY)) - torch.atan(
        size_a[:, 0] / (size_a[:, 1] + TINY)
    )
    unlike = 4 / torch.pi**2 * angle**2
    with torch.no_grad():  # α is no part of the gradient
        weight = unlike / (1 - iou + unlike + TINY)
    return said - weight * unlike


def pair_iou(a: Float[Tensor, "b n 4"], b: Float[Tensor, "b m 4"]) -> Float[Tensor, "b n m"]:
    """Overlap of every box of `a` with every one of `b`, picture by picture; empty ones give 0."""
    wide = torch.minimum(a[:, :, None, 2], b[:, None, :, 2]) - torch.maximum(
        a[:, :, None, 0], b[:, None, :, 0]
    )
    high = torch.minimum(a[:, :, None, 3], b[:, None, :, 3]) - torch.maximum(
        a[:, :, None, 1], b[:, None, :, 1]
    )
    inner = wide.clamp_(min=0) * high.clamp_(min=0)
    area_a = (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    area_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    return inner / (area_a[:, :, None] + area_b[:, None] - inner + TINY)
