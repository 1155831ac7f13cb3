"""Exponential moving average of a network's weights."""

import copy

import torch
from torch import Tensor, nn


class Ema:
    """A second set of weights that follows the trained ones: `shadow ← d·shadow + (1−d)·weights`.

    Polyak & Juditsky 1992; the decay warms up as min(decay, (1+t)/(10+t)), so that the first weights,
    which are noise, are forgotten soon. Buffers (running statistics) follow too.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take one step towards the network's present weights.

        >>> layer = nn.Linear(1, 1)
        >>> _ = nn.init.ones_(layer.weight)
        >>> ema = Ema(layer, 0.5)
        >>> _ = nn.init.zeros_(layer.weight)
        >>> ema.update(layer)  # the first decay is (1+0)/(10+0) = 0.1
        >>> round(ema.network.weight.item(), 3)
        0.1
        """
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        shadow: list[Tensor] = []
        fresh: list[Tensor] = []
        for old, new in zip(self.network.state_dict().values(), network.state_dict().values()):
            if old.is_floating_point():
                shadow.append(old)
                fresh.append(new)
            else:
                old.copy_(new)
        torch._foreach_lerp_(shadow, fresh, 1 - decay)
