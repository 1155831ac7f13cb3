"""How the learning rate goes, step by step."""

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, MultiStepLR, SequentialLR

MILESTONES = (0.25, 0.5, 0.75)
"""He et al. 2019 divide by ten at epochs 30, 60 and 90 of 120."""


def make_schedule(
    optimiser: torch.optim.Optimizer, steps: int, warmup_steps: int, *, cosine: bool
) -> LRScheduler:
    """Rise from (nearly) 0 over `warmup_steps`, then fall to 0 by half a cosine, or in steps of ÷10.

    Goyal et al. 2017 (arXiv 1706.02677, sec. 2.2) for the warm-up, Loshchilov & Hutter 2017 for the cosine.

    >>> sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> falls = make_schedule(sgd, steps=6, warmup_steps=2, cosine=True)
    >>> rates = []
    >>> for _ in range(6):
    ...     rates.append(round(sgd.param_groups[0]["lr"], 3)); _ = sgd.step(); falls.step()
    >>> rates
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    rest = max(1, steps - warmup_steps)
    after: LRScheduler
    if cosine:
        after = CosineAnnealingLR(optimiser, T_max=rest)
    else:
        after = MultiStepLR(optimiser, [round(share * steps) - warmup_steps for share in MILESTONES])
    if warmup_steps < 1:
        return after
    rise = LinearLR(optimiser, start_factor=1 / warmup_steps, total_iters=max(1, warmup_steps - 1))
    return SequentialLR(optimiser, [rise, after], milestones=[warmup_steps])
