"""A small network and the files made of it, for tests; torch is imported when one is asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

from okulo.core.model import ModelInfo, Preprocess, Threshold

if TYPE_CHECKING:
    from okulo.nets.bundle import Bundle

CLASSES = ("ant", "bee", "cat")
ARCHITECTURE = {"name": "resnet", "widths": [8, 16], "depths": [1, 1], "classes": 3}


def info(task: str = "classify", size: tuple[int, int] = (23, 31), fit: str = "stretch") -> ModelInfo:
    """An odd-sized input, so that halving it rounds."""
    return ModelInfo(
        task=task,
        classes=CLASSES if task == "classify" else (),
        preprocess=Preprocess(size=size, fit=fit),
        threshold=Threshold(value=0.5, how="set by hand") if task == "classify" else None,
        name="small",
    )


def bundle(task: str = "classify", size: tuple[int, int] = (23, 31), fit: str = "stretch") -> "Bundle":
    """A network of random weights whose norms are not the identity, so that folding them shows."""
    import torch

    from okulo.nets.build import build
    from okulo.nets.bundle import Bundle

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = build(ARCHITECTURE)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.normal_(module.bias, 0, 0.3)
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
    return Bundle(network.eval(), dict(ARCHITECTURE), info(task, size, fit))


def write_model(path: Path, task: str = "classify") -> Path:
    """Export the small network."""
    from okulo.export.write import write

    write(bundle(task), path)
    return path
