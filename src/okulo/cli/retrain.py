"""`okulo audit --deep`: one training a fold, and its answers for the part it did not see."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.protocols import Progress, silent
from okulo.core.table import Items
from okulo.curate.audit_labels import Retrain
from okulo.io.images import read_image
from okulo.io.tables import write_items

BATCH = 64
HELD_OUT = 0.1
"""Part of each fold's training rows that chooses the best epoch."""


def retrainer(*, epochs: int, seed: int) -> Retrain:
    """Make what `okulo.curate.audit_labels.run` calls to train."""

    def retrain(items: Items, fold: np.ndarray, classes: tuple[str, ...], progress: Progress) -> np.ndarray:
        answer = np.zeros((len(items), len(classes)), np.float32)
        parts = [int(each) for each in np.unique(fold)]
        for part in progress(parts, label="training a network a fold", total=len(parts)):
            with tempfile.TemporaryDirectory(prefix="okulo-fold-") as folder:
                held = fold == part
                order, said = _train_and_ask(items, held, Path(folder), epochs, seed)
                answer[np.ix_(held, [classes.index(name) for name in order])] = said
        return answer

    return retrain


def _train_and_ask(
    items: Items, held: np.ndarray, folder: Path, epochs: int, seed: int
) -> tuple[tuple[str, ...], np.ndarray]:
    from okulo.nets.bundle import load_bundle
    from okulo.nets.predictor import TorchPredictor
    from okulo.train.classify import run
    from okulo.train.params import ClassifyParams

    table = folder / "fold.parquet"
    split = pl.Series("split", np.where(held, "test", "train"))
    write_items(Items(items.frame.with_columns(split), items.root), table)
    output = folder / "run"
    run(
        ClassifyParams(items=table, output=output, epochs=epochs, seed=seed, val_share=HELD_OUT),
        silent,
    )
    bundle = load_bundle(output)
    predictor = TorchPredictor(bundle)
    files = [path for path, out in zip(items.files(), held) if out]
    said = [answer["probabilities"] for batch in _batches(files) for answer in predictor.predict(batch)]
    return bundle.info.classes, np.stack(said)


def _batches(files: list[Path]) -> Iterator[list[np.ndarray]]:
    for start in range(0, len(files), BATCH):
        yield [read_image(path) for path in files[start : start + BATCH]]
