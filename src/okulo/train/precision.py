"""Which number format trains fastest here, and how to use it without losing small gradients."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Precision:
    """How a step computes. Weights are fp32 always (the master weights); only the arithmetic is low.

    `name`: fp32, bf16 or fp16. fp16 has too few small numbers, so the loss is scaled up before the gradients
    are taken (Micikevicius et al. 2018, arXiv 1710.03740, sec. 3.2); bf16 does not need it.
    """

    name: str

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Compute what is inside in this precision."""
        if self.name == "fp32":
            return nullcontext()
        dtype = torch.bfloat16 if self.name == "bf16" else torch.float16
        return torch.autocast(device.type, dtype=dtype)

    def scaler(self, device: torch.device) -> torch.amp.GradScaler:
        """Make the loss scaler: one that does nothing but for fp16."""
        return torch.amp.GradScaler(device.type, enabled=self.name == "fp16")


def choose_precision(name: str, device: torch.device, network: nn.Module) -> Precision:
    """Settle `auto` by what the device has, never by a stop-watch: the same run is the same run.

    On a CPU: bf16 where it has instructions for it, but for networks with depthwise convolutions, which are
    slower in bf16 (measured 0.9 ×); fp16 never (10 × slower).
    """
    if name != "auto":
        return Precision(name)
    if device.type == "cuda":
        return Precision("bf16" if torch.cuda.is_bf16_supported() else "fp16")
    if device.type == "cpu" and cpu_has_bf16() and not has_depthwise(network):
        return Precision("bf16")
    return Precision("fp32")


def cpu_has_bf16() -> bool:
    """Say if the CPU multiplies bf16 itself (AVX512-BF16, AMX, or Arm's BF16)."""
    said = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(bool(said.get(name)) for name in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))


def has_depthwise(network: nn.Module) -> bool:
    """Say if a network has convolutions that look at each channel alone."""
    return any(isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1 for m in network.modules())
