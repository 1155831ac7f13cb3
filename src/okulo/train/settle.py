"""Settle what the network is and what it sees, from the parameters and the table."""

from typing import Any

from okulo.core.errors import BadInput
from okulo.core.model import Preprocess
from okulo.core.table import Items
from okulo.nets.build import PRESETS, describe
from okulo.nets.timm_backbone import data_settings
from okulo.train.data import guess_side
from okulo.train.params import ClassifyParams

LARGEST_GUESS = 64
LARGEST_GUESS_TIMM = 224


def settle_preprocess(params: ClassifyParams, items: Items) -> Preprocess:
    """Say what the network sees: its side as given, or as the network or the pictures have it."""
    fit = "stretch" if params.fit == "auto" else params.fit
    if params.backbone in PRESETS:
        small = not params.backbone.endswith("-50")
        guess = guess_side(items, LARGEST_GUESS if small else LARGEST_GUESS_TIMM)
        side = params.input_size or guess
        return Preprocess(size=(side, side), fit=fit)
    said = data_settings(params.backbone.removeprefix("timm/"))
    if not said:
        side = params.input_size or guess_side(items, LARGEST_GUESS_TIMM)
        return Preprocess(size=(side, side), fit=fit)
    own = int(said["input_size"][1])
    if said["fixed"] and params.input_size not in (None, own):
        raise BadInput(
            "input-size", wanted=f"{own}, the only one {params.backbone} takes", got=params.input_size
        )
    side = own if said["fixed"] else params.input_size or guess_side(items, LARGEST_GUESS_TIMM)
    return Preprocess(size=(side, side), fit=fit, mean=tuple(said["mean"]), std=tuple(said["std"]))


def settle_architecture(params: ClassifyParams, classes: int) -> dict[str, Any]:
    """Say how the network is built; switches that a backbone does not have are left away."""
    choices: dict[str, Any] = {"dropout": params.dropout}
    name = PRESETS.get(params.backbone, {}).get("name")
    if name is not None:
        choices["norm"] = params.norm
    elif params.norm != "batch":
        raise BadInput(
            "norm", f"cannot be chosen for {params.backbone}", hint="timm's networks have their own"
        )
    if name == "resnet":
        choices.update(tweak_b=params.tweak_b, tweak_c=params.tweak_c, tweak_d=params.tweak_d)
    return describe(params.backbone, classes, **choices)
