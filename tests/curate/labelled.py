"""A small labelled table whose truth is known: scikit-learn's digits, with planted wrong labels."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.table import Items
from okulo.io.images import encode_png
from okulo.io.tables import write_items


@dataclass(frozen=True)
class Planted:
    """Where the table lies, and which of its rows are wrong."""

    table: Path
    truth: list[str]
    wrong: np.ndarray


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.images.astype(np.float32), data.target.astype(np.int64)


def plant_digits(
    folder: Path, *, n: int = 800, share: float = 0.075, seed: int = 0, files: bool = False
) -> Planted:
    """Write a table of the first `n` digits with `share` of the labels replaced at random."""
    images, target = digits()
    images, target = images[:n], target[:n]
    rng = np.random.default_rng(seed)
    chosen = rng.choice(n, round(n * share), replace=False)
    given = target.copy()
    given[chosen] = (given[chosen] + rng.integers(1, 10, len(chosen))) % 10
    truth = [f"digit {label}" for label in target]
    frame = pl.DataFrame(
        {
            "id": [f"{i:032x}" for i in range(n)],
            "path": [f"{i:04d}.png" for i in range(n)],
            "split": np.where(np.arange(n) % 5 == 0, "test", "train"),
            "label": [f"digit {label}" for label in given],
            "embedding": pl.Series(images.reshape(n, -1), dtype=pl.Array(pl.Float32, 64)),
        }
    )
    if files:
        for path, image in zip(frame["path"], images):
            large = np.kron(image * 15.9, np.ones((4, 4))).astype(np.uint8)
            grey = np.repeat(large[:, :, None], 3, axis=2)
            (folder / path).write_bytes(encode_png(grey))
    write_items(Items(frame, folder), folder / "items.parquet")
    return Planted(folder / "items.parquet", truth, given != target)
