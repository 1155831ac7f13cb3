"""Fold batch norms into the convolutions before them: fewer layers, the same answers.

Which convolution feeds which norm is seen by running the network once, not guessed from names or from the
order of modules, and not traced (`torch.fx` finds none of timm's `BatchNormAct2d`). Each pair's own
activation stays. Every fold is checked by its effect on the outputs.
"""

import copy
from collections import Counter
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

TOLERANCE = 1e-5
"""Largest change of an output, relative to the largest output; sound folds stay below 3e-6."""


def fuse(network: nn.Module, pixels: Float[Tensor, "n 3 H W"]) -> tuple[nn.Module, int]:
    """Copy a network in evaluation mode, its batch norms folded, and say how many; `pixels`: any example."""
    fused = copy.deepcopy(network).eval()
    pairs = _pairs(fused, pixels)
    before = _outputs(fused, pixels)
    done = 0
    for conv_name, norm_name in pairs:
        conv, norm = fused.get_submodule(conv_name), fused.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        _set(fused, conv_name, folded(conv, norm))
        _set(fused, norm_name, _rest(norm))
        done += 1
    if done and _change(before, _outputs(fused, pixels)) > TOLERANCE:
        return _one_by_one(network, pairs, pixels)
    return fused, done


def _one_by_one(
    network: nn.Module, pairs: list[tuple[str, str]], pixels: Float[Tensor, "n 3 H W"]
) -> tuple[nn.Module, int]:
    """Fold only those pairs whose convolution is used by nothing but its norm."""
    fused = copy.deepcopy(network).eval()
    done = 0
    for conv_name, norm_name in pairs:
        conv, norm = fused.get_submodule(conv_name), fused.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        before = _outputs(fused, pixels)
        _set(fused, conv_name, folded(conv, norm))
        _set(fused, norm_name, _rest(norm))
        if _change(before, _outputs(fused, pixels)) > TOLERANCE:
            _set(fused, conv_name, conv)
            _set(fused, norm_name, norm)
        else:
            done += 1
    return fused, done


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Make one convolution of a convolution and its norm: w·γ/√(σ²+ε), (b − μ)·γ/√(σ²+ε) + β (in float64)."""
    assert norm.running_mean is not None and norm.running_var is not None
    made = copy.deepcopy(conv)
    scale = 1 / (norm.running_var.double() + norm.eps).sqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    bias = (
        -norm.running_mean.double() if conv.bias is None else conv.bias.double() - norm.running_mean.double()
    )
    bias = bias * scale
    if norm.bias is not None:
        bias = bias + norm.bias.double()
    made.weight = nn.Parameter(
        (conv.weight.double() * scale[:, None, None, None]).to(conv.weight.dtype).detach()
    )
    made.bias = nn.Parameter(bias.to(conv.weight.dtype).detach())
    return made


def _rest(norm: nn.BatchNorm2d) -> nn.Module:
    """What a norm does besides normalising: timm's carries a drop and an activation."""
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    return nn.Sequential(norm.get_submodule("drop"), norm.get_submodule("act"))


def _foldable(module: nn.Module) -> bool:
    if not isinstance(module, nn.BatchNorm2d) or module.running_mean is None:
        return False
    return type(module) is nn.BatchNorm2d or type(module).__name__ == "BatchNormAct2d"


def _pairs(network: nn.Module, pixels: Float[Tensor, "n 3 H W"]) -> list[tuple[str, str]]:
    """Run once and name each convolution whose output goes into a norm, both called exactly once."""
    calls: Counter[str] = Counter()
    made_by: dict[int, str] = {}
    kept: list[object] = []  # outputs stay alive, so that an id names one tensor only
    pairs: list[tuple[str, str]] = []

    def hook(name: str) -> object:
        def see(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            calls[name] += 1
            kept.append(output)
            if isinstance(module, nn.Conv2d):
                made_by[id(output)] = name
            elif id(inputs[0]) in made_by:
                pairs.append((made_by[id(inputs[0])], name))

        return see

    watched = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) or _foldable(module)
    ]
    handles = [module.register_forward_hook(hook(name)) for name, module in watched]
    try:
        _outputs(network, pixels)
    finally:
        for handle in handles:
            handle.remove()
    fed = Counter(conv for conv, _ in pairs)
    return [(c, n) for c, n in pairs if calls[c] == calls[n] == fed[c] == 1]


@torch.inference_mode()
def _outputs(network: nn.Module, pixels: Float[Tensor, "n 3 H W"]) -> list[Tensor]:
    said = network(pixels)
    if isinstance(said, Tensor):
        return [said]
    return list(said.values()) if isinstance(said, Mapping) else list(said)


def _change(before: list[Tensor], after: list[Tensor]) -> float:
    return max(float((b - a).abs().max() / b.abs().max().clamp(min=1e-6)) for b, a in zip(before, after))


def _set(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, module)
