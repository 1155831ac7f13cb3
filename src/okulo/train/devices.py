"""Which device, and how many processes work together (torchrun sets RANK, WORLD_SIZE and LOCAL_RANK)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from okulo.core.errors import BadInput


@dataclass(frozen=True)
class World:
    """This process among all that train together."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Only the first process writes and speaks."""
        return self.rank == 0

    def spread(self, network: nn.Module) -> nn.Module:
        """Wrap a network so that gradients are averaged over all processes."""
        if self.size == 1:
            return network
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=ids)

    def average(self, value: torch.Tensor) -> torch.Tensor:
        """Average a tensor over all processes."""
        if self.size > 1:
            distributed.all_reduce(value)
            value /= self.size
        return value

    def agree(self, value: float) -> float:
        """Take the first process's number everywhere."""
        said = torch.tensor([value], dtype=torch.float64)
        if self.size > 1:
            said = said.to(self.device)
            distributed.broadcast(said, src=0)
        return float(said)

    def wait(self) -> None:
        """Let every process come to this point."""
        if self.size > 1:
            distributed.barrier()


def find_device(name: str) -> torch.device:
    """Settle `auto`, and refuse what is not here."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise BadInput("device", f"{name!r} cannot be used ({reason})", hint="auto finds one") from error
    return device


@contextmanager
def join_world(device_name: str) -> Iterator[World]:
    """Meet the other processes when torchrun started us; alone otherwise."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    device = find_device(device_name)
    if size == 1 or distributed.is_initialized():
        yield World(device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(device, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
