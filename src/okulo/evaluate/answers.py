"""A model's answers for the items of a table: read in threads, predicted in batches, memory bounded."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.core.nouns import Findings
from okulo.core.protocols import Answer, Image, Predictor, Progress
from okulo.core.table import Items
from okulo.io.images import read_image

BATCH_PIXELS = 50_000_000
"""A batch is closed early once its pictures hold that many pixels, so that huge ones do not fill memory."""

SUM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Answers:
    """What a model says of the items that could be read; `row` is the item's place in the table."""

    row: Int64[np.ndarray, " m"]
    probabilities: Float32[np.ndarray, "m k"]
    findings: Findings
    """The items that could not be read."""

    @property
    def best(self) -> Int64[np.ndarray, " m"]:
        """Index of the most probable class."""
        index: np.ndarray = self.probabilities.argmax(axis=1).astype(np.int64)
        return index

    @property
    def confidence(self) -> Float32[np.ndarray, " m"]:
        """Probability of the most probable class."""
        value: np.ndarray = self.probabilities.max(axis=1)
        return value


def check_classifier(info: ModelInfo) -> None:
    """Raise BadInput unless the model names classes with probabilities."""
    if info.task != "classify":
        raise BadInput("model", wanted="one that classifies", got=f"task {info.task!r}")


def ask(
    predictor: Predictor[Image, Answer],
    items: Items,
    info: ModelInfo,
    progress: Progress,
    *,
    batch_size: int = 64,
    threads: int | None = None,
) -> Answers:
    """Answer every item that can be read; the others become Findings and stop nothing.

    At most two pictures a thread wait decoded, beside the batch in work.
    """
    check_classifier(info)
    rows: list[int] = []
    said: list[np.ndarray] = []
    broken: list[tuple[str, str, float, str]] = []
    batch: list[Image] = []
    pixels = 0

    def flush() -> None:
        if batch:
            said.extend(_probabilities(predictor.predict(batch), len(batch), info))
            batch.clear()

    pictures = _read(items.files(), threads or min(8, os.cpu_count() or 1))
    for row, (image, reason) in enumerate(progress(pictures, label="answering", total=len(items))):
        if image is None:
            broken.append((items.frame["path"][row], "unreadable", 1.0, reason))
            continue
        rows.append(row)
        batch.append(image)
        pixels += image.shape[0] * image.shape[1]
        if len(batch) == batch_size or pixels > BATCH_PIXELS:
            flush()
            pixels = 0
    flush()
    if not said:
        raise BadInput("table", "none of its pictures can be read", hint=broken[0][3] if broken else "")
    return Answers(np.array(rows, np.int64), np.stack(said), Findings.of(broken))


def _read(files: Sequence[Path], threads: int) -> Iterator[tuple[Image | None, str]]:
    """Decode in order, a bounded number ahead."""

    def one(file: Path) -> tuple[Image | None, str]:
        try:
            return read_image(file), ""
        except BadInput as error:
            return None, str(error)

    with ThreadPoolExecutor(threads, thread_name_prefix="okulo-read") as pool:
        ahead: deque[Future[tuple[Image | None, str]]] = deque()
        try:
            for file in files:
                ahead.append(pool.submit(one, file))
                if len(ahead) >= 2 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for waiting in ahead:  # stopped half-way: the rest need not be read
                waiting.cancel()


def _probabilities(answers: Sequence[Answer], wanted: int, info: ModelInfo) -> list[np.ndarray]:
    if len(answers) != wanted:
        raise BadInput("model", wanted=f"{wanted} answers for a batch of {wanted}", got=len(answers))
    k = len(info.classes)
    rows = []
    for answer in answers:
        if "probabilities" not in answer:
            raise BadInput(
                "model", wanted="an output 'probabilities'", got=", ".join(answer) or "no output at all"
            )
        row = np.asarray(answer["probabilities"], np.float32)
        if row.shape != (k,):
            raise BadInput("probabilities", wanted=f"one for each of {k} classes", got=f"shape {row.shape}")
        if not (np.isfinite(row).all() and row.min() >= 0 and abs(float(row.sum()) - 1) <= SUM_TOLERANCE):
            raise BadInput(
                "probabilities",
                wanted="numbers ≥ 0 that sum to 1",
                got=f"{row.min():g} to {row.max():g}, sum {row.sum():g}",
                hint="are these logits?",
            )
        rows.append(row.clip(0, 1))
    return rows


def answer_columns(answers: Answers, info: ModelInfo, n: int) -> pl.DataFrame:
    """The columns `best`, `pred`, `confidence`, `probabilities` for a table of `n` items.

    `pred` is null below the threshold ("don't know"); all four are null where the picture was unreadable.
    """
    threshold = info.threshold.value if info.threshold else 0.0
    names = np.array(info.classes, dtype=object)
    best = pl.Series("best", names[answers.best].tolist(), dtype=pl.String)
    confidence = answers.confidence
    known = pl.DataFrame(
        {
            "row": answers.row,
            "best": best,
            "pred": [name if sure else None for name, sure in zip(best, confidence >= threshold)],
            "confidence": confidence,
            "probabilities": pl.Series(answers.probabilities, dtype=pl.Array(pl.Float32, len(info.classes))),
        },
        schema_overrides={"pred": pl.String},
    )
    every = pl.DataFrame({"row": np.arange(n, dtype=np.int64)})
    return every.join(known, on="row", how="left", maintain_order="left").drop("row")
