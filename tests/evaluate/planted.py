"""Pictures that say what the model will answer: its evidence for class j is written in pixel j."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.model import ModelInfo, Preprocess
from okulo.core.protocols import Answer, Image
from okulo.core.table import Items
from okulo.io.images import encode_png
from okulo.io.tables import write_items


class Oracle:
    """A Predictor whose answer is the softmax of the evidence in the picture's first row."""

    def __init__(self, classes: int, temperature: float = 1.0) -> None:
        self.classes = classes
        self.temperature = temperature
        self.batches: list[int] = []

    def predict(self, batch: Sequence[Image], /) -> list[Answer]:
        self.batches.append(len(batch))
        return [{"probabilities": self.probabilities(image)} for image in batch]

    def probabilities(self, image: Image) -> np.ndarray:
        logits = image[0, : self.classes, 0].astype(np.float64) / 16 / self.temperature
        raised = np.exp(logits - logits.max())
        return (raised / raised.sum()).astype(np.float32)


def planted(
    folder: Path,
    classes: Sequence[str],
    n: int,
    *,
    signal: float = 3.0,
    seed: int = 0,
    splits: Sequence[str] = ("train", "val", "test"),
) -> Items:
    """Write `n` pictures and their table; higher `signal` makes the labels easier to tell."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    truth = rng.integers(0, len(classes), n)
    for i, label in enumerate(truth):
        image = np.zeros((8, max(8, len(classes)), 3), np.uint8)
        evidence = rng.normal(size=len(classes)) + signal * (np.arange(len(classes)) == label)
        image[0, : len(classes)] = ((evidence + 4) * 16).clip(0, 255).astype(np.uint8)[:, None]
        image[1:] = rng.integers(0, 255, 3)
        (folder / f"{i:04}.png").write_bytes(encode_png(image))
    frame = pl.DataFrame(
        {
            "id": [f"{i:032x}" for i in range(n)],
            "path": [f"{i:04}.png" for i in range(n)],
            "label": [classes[i] for i in truth],
            "split": [splits[i % len(splits)] for i in range(n)],
        }
    )
    return write_items(Items(frame, folder), folder / "items.parquet")


def about(classes: Sequence[str], **more: object) -> ModelInfo:
    return ModelInfo(
        task="classify", classes=tuple(classes), preprocess=Preprocess(size=(8, 8)), name="oracle", **more
    )
