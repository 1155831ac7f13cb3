"""From a plain description to a network, and back from a model's file."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from okulo.core.errors import BadInput
from okulo.nets.detector import detector
from okulo.nets.embedding import embedding
from okulo.nets.mobilenet import mobilenet
from okulo.nets.resnet import resnet
from okulo.nets.timm_backbone import TimmClassifier
from okulo.nets.vgg import vgg

BUILDERS: Mapping[str, Callable[..., nn.Module]] = {
    "vgg": vgg,
    "resnet": resnet,
    "mobilenet": mobilenet,
    "timm": TimmClassifier,
    "embedding": embedding,
    "detector": detector,
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "vgg-tiny": {"name": "vgg", "widths": [16, 32, 64], "depths": [2, 2, 2]},
    "vgg-small": {"name": "vgg", "widths": [32, 64, 128], "depths": [2, 2, 3]},
    "resnet-tiny": {"name": "resnet", "widths": [16, 32, 64], "depths": [1, 1, 1]},
    "resnet-small": {"name": "resnet", "widths": [32, 64, 128], "depths": [1, 1, 1]},
    "resnet-medium": {"name": "resnet", "widths": [32, 64, 128], "depths": [3, 3, 3]},
    "resnet-50": {
        "name": "resnet",
        "widths": [64, 128, 256, 512],
        "depths": [3, 4, 6, 3],
        "block": "bottleneck",
        "stem_kind": "imagenet",
    },
    "mobilenet-tiny": {"name": "mobilenet", "widths": [16, 24, 40], "depths": [1, 2, 2]},
    "mobilenet-small": {"name": "mobilenet", "widths": [16, 24, 40, 80], "depths": [1, 2, 3, 3]},
}
"""Our small family by name; the sizes are for pictures of 28 to 64 px, but for resnet-50."""


def describe(backbone: str, classes: int, **choices: Any) -> dict[str, Any]:
    """Say how a backbone is built, as `build` takes it: one of ours, or a name of timm.

    >>> describe("vgg-tiny", 10, dropout=0.1)["dropout"]
    0.1
    >>> describe("resnet18", 10)
    {'name': 'timm', 'model': 'resnet18', 'classes': 10}
    """
    start = PRESETS.get(backbone, {"name": "timm", "model": backbone.removeprefix("timm/")})
    return {**start, "classes": classes, **choices}


def build(architecture: Mapping[str, Any]) -> nn.Module:
    """Build the network of a description, with fresh weights; nothing is fetched.

    >>> build({"name": "resnet", "classes": 2, "widths": [8], "depths": [1]}).head.out_features
    2
    """
    choices = dict(architecture)
    name = choices.pop("name", None)
    if name not in BUILDERS:
        raise BadInput("architecture", wanted=f"one of {', '.join(BUILDERS)}", got=repr(name))
    try:
        return BUILDERS[name](**choices)
    except TypeError as error:  # keywords that this builder does not know
        raise BadInput(f"architecture {name}", str(error)) from error
