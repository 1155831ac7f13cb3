"""The training loop: a learner takes steps, an epoch is many of them, and both say what they cost."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from okulo.nets.ema import Ema
from okulo.train.devices import World
from okulo.train.precision import Precision

Batch = Mapping[str, Tensor]
LossOf = Callable[[Mapping[str, Tensor], Batch], dict[str, Tensor]]
"""The network's outputs and the batch → `loss` and other figures, each a mean over the batch."""


class Learner:
    """All that changes while a network learns: weights, optimiser, schedule, loss scale, averaged weights."""

    def __init__(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: LRScheduler,
        precision: Precision,
        world: World,
        *,
        ema: float = 0.0,
        l1: float = 0.0,
    ) -> None:
        self.network = network
        self.optimiser = optimiser
        self.schedule = schedule
        self.precision = precision
        self.world = world
        self.scaler = precision.scaler(world.device)
        self.ema = Ema(network, ema) if ema > 0 else None
        self.l1 = l1
        self._spread = world.spread(network)
        self._penalised = [p for p in network.parameters() if p.ndim > 1]

    @property
    def answering(self) -> nn.Module:
        """The weights that answer: the averaged ones, if there are."""
        return self.ema.network if self.ema else self.network

    def step(self, batch: Batch, loss_of: LossOf) -> dict[str, Tensor]:
        """Learn from one batch (`pixels` and what the loss needs); returns the figures, detached."""
        with self.precision.autocast(self.world.device):
            outputs = self._spread(batch["pixels"])
        figures = loss_of(outputs, batch)
        loss = figures["loss"]
        if self.l1:
            loss = loss + self.l1 * torch.stack([p.abs().sum() for p in self._penalised]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.schedule.step()
        if self.ema:
            self.ema.update(self.network)
        return {name: value.detach() for name, value in figures.items()}

    def state(self) -> dict[str, Any]:
        """All that has to be kept to go on exactly as if nothing had happened."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": _plain(self.schedule.state_dict()),
            "scaler": self.scaler.state_dict(),
            "ema": (self.ema.network.state_dict(), self.ema.updates) if self.ema else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(_plain(state["schedule"]))
        self.scaler.load_state_dict(state["scaler"])
        if self.ema:
            weights, self.ema.updates = state["ema"]
            self.ema.network.load_state_dict(weights)


def _plain(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """Counters of torch's schedules are plain dictionaries in a file that must not be unpickled."""
    said = dict(schedule)
    if "_schedulers" in said:
        said["_schedulers"] = [_plain(each) for each in said["_schedulers"]]
    return said


def train_epoch(learner: Learner, batches: Iterable[Batch], loss_of: LossOf) -> dict[str, float]:
    """Take a step for each batch: the figures' means, and `data_s` and `step_s`, where the time went.

    A loss that is no number any more is left to the caller: it says so in the figures.
    """
    learner.network.train()
    totals: dict[str, Tensor] = {}
    data_s = step_s = 0.0
    steps = 0
    clock = time.perf_counter()
    for batch in batches:
        ready = time.perf_counter()
        data_s += ready - clock
        for name, value in learner.step(batch, loss_of).items():
            totals[name] = totals[name] + value if name in totals else value.double()
        steps += 1
        clock = time.perf_counter()
        step_s += clock - ready
    means = {name: float(learner.world.average(value / steps)) for name, value in totals.items()}
    return {**means, "data_s": data_s, "step_s": step_s}


@torch.inference_mode()
def answer_all(network: nn.Module, batches: Iterable[Tensor]) -> Tensor:
    """The logits of many batches of pixels, in fp32: what is measured is what will be exported."""
    network.eval()
    return torch.cat([network(pixels)["logits"].float().cpu() for pixels in batches])
