"""Optimisers, with the decay where it belongs."""

from typing import Any

import torch
from torch import nn

from okulo.train.params import ClassifyParams


def parameter_groups(network: nn.Module, weight_decay: float, *, decay_all: bool) -> list[dict[str, Any]]:
    """Split weights into those that decay and those that do not: norms and biases (vectors).

    He et al. 2019, sec. 3.1, "no bias decay". `decay_all` puts everything in the first group.

    >>> groups = parameter_groups(nn.Conv2d(1, 1, 3), 0.1, decay_all=False)
    >>> [(len(g["params"]), g["weight_decay"]) for g in groups]
    [(1, 0.1), (1, 0.0)]
    """
    weights = [p for p in network.parameters() if p.requires_grad]
    decayed = [p for p in weights if decay_all or p.ndim > 1]
    spared = [p for p in weights if not (decay_all or p.ndim > 1)]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def make_optimiser(network: nn.Module, params: ClassifyParams, lr: float) -> torch.optim.Optimizer:
    """SGD with (Nesterov) momentum or AdamW, fused into one kernel a group."""
    groups = parameter_groups(network, params.weight_decay, decay_all=params.decay_norm_bias)
    fused = all(p.device.type in ("cpu", "cuda") for p in network.parameters())
    if params.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=lr, fused=fused)
    return torch.optim.SGD(
        groups, lr=lr, momentum=params.momentum, nesterov=params.nesterov and params.momentum > 0, fused=fused
    )
