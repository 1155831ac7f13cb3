"""A small detector of random weights, made from a cfg as Darknet's are."""

from pathlib import Path

from tests.darknet import random_weights

from okulo.export.darknet.convert import DarknetParams, run

CFG = """
[net]
width=64
height=48
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters={channels}
size=1
stride=1
activation=linear

[yolo]
mask=0,1
anchors=8,10, 20,24, 40,30
classes={classes}
num=3
"""
CLASSES = ("ant", "bee", "cat")


def write_cfg(path: Path, text: str = CFG) -> Path:
    """Write the small cfg."""
    path.write_text(text.format(classes=3, channels=16))
    return path


def write_detector(folder: Path, *, seed: int = 0, **choices: float | str) -> Path:
    """Convert the small network: a model file that finds many things everywhere."""
    cfg = write_cfg(folder / "small.cfg")
    weights = random_weights(cfg, folder / "small.weights", seed)
    names = folder / "small.names"
    names.write_text("\n".join(CLASSES))
    path = folder / "small.okulo.onnx"
    run(
        DarknetParams(
            **{"cfg": cfg, "weights": weights, "names": names, "output": path, "threshold": 0.3} | choices
        )
    )
    return path
