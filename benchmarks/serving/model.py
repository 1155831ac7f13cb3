"""The networks that are served: a half-width ResNet-18 at 64 px, and one of two small layers."""

from pathlib import Path

import onnx
import torch

from okulo.core.model import ModelInfo, Preprocess
from okulo.export.write import write
from okulo.nets.build import build
from okulo.nets.bundle import Bundle
from okulo.runtime.graph import read_model, split

NETWORKS = {
    "half": {"name": "resnet", "widths": [32, 64, 128, 256], "depths": [2, 2, 2, 2], "stem_kind": "imagenet"},
    "tiny": {"name": "resnet", "widths": [8], "depths": [1], "stem_kind": "imagenet"},
}


def make(folder: Path) -> None:
    """Write `<name>.onnx` (a model file, for pictures) and `<name>.network.onnx` (its part for tensors)."""
    for name, architecture in NETWORKS.items():
        torch.manual_seed(0)
        described = {**architecture, "classes": 10}
        info = ModelInfo(
            task="classify",
            classes=tuple(f"class {index}" for index in range(10)),
            preprocess=Preprocess(size=(64, 64)),
            name=name,
        )
        path = folder / f"{name}.onnx"
        write(Bundle(build(described).eval(), described, info), path)
        onnx.save(split(read_model(path))[1], folder / f"{name}.network.onnx")
