"""The tricks of He et al. 2019 in the paper's order, each as the parameters it changes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from okulo.nets.build import PRESETS
from okulo.train.ablate_params import AblateParams

Changes = Mapping[str, Any]
"""Fields of ClassifyParams and their values."""


@dataclass(frozen=True)
class Trick:
    """A row of the table, and what it changes; `needs` names rows that must hold already."""

    name: str
    changes: Changes
    needs: Changes


def baseline(params: AblateParams) -> dict[str, Any]:
    """The recipe without any trick: a quarter of the batch and learning rate, fp32, steps of ÷10."""
    return {
        "items": params.items,
        "output": params.output,
        "backbone": params.backbone,
        "epochs": params.epochs,
        "input_size": params.input_size,
        "device": params.device,
        "batch": params.batch // 4,
        "lr": params.lr / 4,
        "warmup_epochs": 0.0,
        "cosine": False,
        "zero_gamma": False,
        "decay_norm_bias": True,
        "precision": "fp32",
        "label_smoothing": 0.0,
        "tweak_b": False,
        "tweak_c": False,
        "tweak_d": False,
    }


def tricks(params: AblateParams, fast_precision: str) -> Iterator[Trick]:
    """The tricks that this network and device have, in the order of the paper's tables 4, 5 and 6."""
    preset = PRESETS.get(params.backbone, {})
    large: Changes = {"batch": params.batch}
    # The rule gives 0.1·B/256 in the paper; here whatever --lr says at --batch.
    scaled: Changes = {"lr": params.lr * 256 / params.batch, "lr_scaling": True}
    yield Trick("4 × batch", large, {})
    yield Trick("linear LR scaling", scaled, large)
    yield Trick("warm-up", {"warmup_epochs": max(0.5, min(5.0, params.epochs / 10))}, {})
    yield Trick("zero γ", {"zero_gamma": True}, {})
    yield Trick("no decay of norm and bias", {"decay_norm_bias": False}, {})
    if fast_precision != "fp32":
        yield Trick(fast_precision, {"precision": fast_precision}, {})
    if preset.get("name") == "resnet":
        if preset.get("block") == "bottleneck":
            yield Trick("ResNet-B", {"tweak_b": True}, {})
        yield Trick("ResNet-C", {"tweak_c": True}, {})
        yield Trick("ResNet-D", {"tweak_d": True}, {})
    yield Trick("cosine", {"cosine": True}, {})
    yield Trick("label smoothing", {"label_smoothing": params.label_smoothing}, {})
    if params.teacher is not None:
        yield Trick("distillation", {"teacher": params.teacher}, {})
    yield Trick("mixup", {"mixup": params.mixup}, {})
