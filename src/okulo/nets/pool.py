"""Adaptive pooling that exports at any input size.

`torch.nn.AdaptiveAvgPool2d(k)` with k ≠ 1 exports with dynamic height and width, runs, and is silently wrong
at another size than the traced one; `AdaptiveMaxPool2d` does not export. Here the bins are computed from the
input's own size: averages by two matrices, maxima under two masks.
"""

import copy

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


def bins(length: int | torch.SymInt, wanted: int, device: torch.device) -> Bool[Tensor, "wanted length"]:
    """Say which of `length` cells belong to each of `wanted` bins: ⌊i·n/k⌋ to ⌈(i+1)·n/k⌉, as torch has it.

    >>> bins(5, 2, torch.device("cpu")).int()
    tensor([[1, 1, 1, 0, 0],
            [0, 0, 1, 1, 1]], dtype=torch.int32)
    """
    bin_ = torch.arange(wanted, device=device)[:, None]
    cell = torch.arange(length, device=device)
    return (cell >= bin_ * length // wanted) & (cell * wanted < (bin_ + 1) * length)


class AveragePool(nn.Module):
    """Average over `size` × `size` bins, whatever the input's size."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c H W"]:
        """Average each bin."""
        tall = bins(x.shape[2], self.size[0], x.device).to(x.dtype)
        wide = bins(x.shape[3], self.size[1], x.device).to(x.dtype)
        tall = tall / tall.sum(dim=1, keepdim=True)
        wide = wide / wide.sum(dim=1, keepdim=True)
        return torch.matmul(torch.matmul(tall, x), wide.transpose(0, 1))


class MaximumPool(nn.Module):
    """Maximum over `size` × `size` bins, whatever the input's size."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c H W"]:
        """Take each bin's greatest value."""
        low = torch.finfo(x.dtype).min
        tall = bins(x.shape[2], self.size[0], x.device)[:, :, None]
        wide = bins(x.shape[3], self.size[1], x.device)
        rows = x[:, :, None].masked_fill(~tall, low).amax(dim=3)
        return rows[:, :, :, None].masked_fill(~wide, low).amax(dim=4)


def exportable_pools(network: nn.Module) -> nn.Module:
    """Copy a network with its adaptive pools (k ≠ 1 averages, all maxima) replaced by these."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
                size = _pair(child.output_size)
                if size is None or (size == (1, 1) and isinstance(child, nn.AdaptiveAvgPool2d)):
                    continue
                if isinstance(child, nn.AdaptiveMaxPool2d) and child.return_indices:
                    continue
                mean = isinstance(child, nn.AdaptiveAvgPool2d)
                setattr(parent, name, AveragePool(size) if mean else MaximumPool(size))
    return network


def _pair(size: object) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if isinstance(size, tuple | list) and len(size) == 2 and all(isinstance(each, int) for each in size):
        return size[0], size[1]
    return None  # None means "as the input": left to torch
