"""What a network costs: parameters and operations, counted, not estimated."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """Parameters, and multiply-adds for one picture (what papers call FLOPs)."""

    parameters: int
    multiply_adds: int


def cost(network: nn.Module, size: tuple[int, int]) -> Cost:
    """Count a network's parameters and its multiply-adds for one picture of `size` (height, width).

    >>> from okulo.nets.vgg import vgg
    >>> cost(vgg(classes=10, widths=(8,), depths=(1,)), (4, 4))
    Cost(parameters=322, multiply_adds=3536)
    """
    parameters = sum(weight.numel() for weight in network.parameters())
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, *size, device=device))
    finally:
        network.train(was_training)
    return Cost(parameters, counter.get_total_flops() // 2)
