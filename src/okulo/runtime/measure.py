"""Honest times: warmed up, the answer awaited, every run kept, CPU time beside wall time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.core.protocols import Answer, Image
from okulo.io.images import decode, encode_jpeg, read_image
from okulo.io.tables import read_items

LEAST_RUNS = 10


@runtime_checkable
class Contender(Protocol):
    """What is measured: a model file, or a PyTorch network that keeps the same promises."""

    info: ModelInfo

    def prepare(self, image: Image) -> np.ndarray:
        """Make one picture `pixels` (3, H, W)."""
        ...

    def answer(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Answer a batch; returns when the answer is there (accelerators are synchronised)."""
        ...

    def predict(self, batch: Sequence[Image], /) -> Sequence[Answer]:
        """Answer pictures."""
        ...


@dataclass(frozen=True)
class Speed:
    """Times of one batch size; latencies are of a whole batch, milliseconds."""

    batch: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    per_second: float
    cpu_ms: float
    """CPU time for one picture, all threads together."""
    runs: int


@dataclass(frozen=True)
class Stages:
    """Milliseconds a picture spends in each stage, on one thread (the network: at the largest batch)."""

    on: str
    decode_ms: float
    prepare_ms: float
    network_ms: float


def time_batch(model: Contender, batch: int, seconds: float) -> Speed:
    """Time the network on batches of noise until `seconds` are over, after warming up for a fifth of that.

    Noise is as slow as pictures: a network's work does not depend on what it sees.
    """
    shape = (batch, 3, *model.info.preprocess.size)
    pixels = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    _times(lambda: model.answer(pixels), seconds / 5, 3)
    cpu = time.process_time()
    walls = _times(lambda: model.answer(pixels), seconds, LEAST_RUNS)
    cpu = time.process_time() - cpu
    p50, p90, p99 = (1e3 * float(q) for q in np.percentile(walls, [50, 90, 99]))
    rate = batch * len(walls) / sum(walls)
    return Speed(batch, p50, p90, p99, rate, 1e3 * cpu / (batch * len(walls)), len(walls))


def _times(once: Callable[[], object], seconds: float, least: int) -> list[float]:
    walls: list[float] = []
    end = time.perf_counter() + seconds
    while len(walls) < least or time.perf_counter() < end:
        start = time.perf_counter()
        once()
        walls.append(time.perf_counter() - start)
    return walls


def time_stages(model: Contender, pictures: Sequence[bytes], on: str, network_ms: float) -> Stages:
    """Time decoding and preparing of picture files already in memory (median of each picture's best of 3)."""

    def best(once: Callable[[], object]) -> float:
        once()
        return 1e3 * min(_times(once, 0, 3))

    decoding = [best(lambda data=data: decode(data)) for data in pictures]  # type: ignore[misc]  # binds now
    images = [decode(data) for data in pictures]
    preparing = [best(lambda image=image: model.prepare(image)) for image in images]  # type: ignore[misc]
    return Stages(on, float(np.median(decoding)), float(np.median(preparing)), network_ms)


def stage_pictures(items: Path | None, count: int = 32) -> tuple[list[bytes], str]:
    """Take picture files of a table, or make JPEG files of noise where there is none."""
    if items is None:
        rng = np.random.default_rng(0)
        coarse = rng.integers(0, 256, (8, 60, 80, 3), dtype=np.uint8)
        made = [encode_jpeg(np.kron(each, np.ones((8, 8, 1), np.uint8))) for each in coarse]
        return made, "generated JPEG, 640 × 480"
    found = []
    for file in read_items(items).files()[: 2 * count]:
        try:
            data = file.read_bytes()
            decode(data)
        except (OSError, BadInput):
            continue
        found.append(data)
    if not found:
        raise BadInput(str(items), "none of its first pictures can be read")
    return found[:count], f"{len(found[:count])} pictures of the table"


def accuracy(model: Contender, items: Path, limit: int) -> tuple[float, int, str]:
    """Share of right answers on the test split (else val, else all); how many, and which split."""
    table = read_items(items)
    if "label" not in table.frame.columns:
        raise BadInput(str(items), wanted="a column label, to measure accuracy", got="none")
    table = table.where(pl.col("label").is_not_null())
    held = table.frame["split"].unique().to_list() if "split" in table.frame.columns else []
    split = next((each for each in ("test", "val") if each in held), "all")
    table = table if split == "all" else table.in_split(split)
    table = table.where(pl.int_range(pl.len()).shuffle(seed=0) < limit)
    files, labels = table.files(), table.frame["label"].to_list()
    right = seen = 0
    for start in range(0, len(files), 32):
        pairs = [
            (image, label)
            for file, label in zip(files[start : start + 32], labels[start : start + 32])
            if (image := _readable(file)) is not None
        ]
        answers = model.predict([image for image, _ in pairs])
        best = [model.info.classes[int(answer["probabilities"].argmax())] for answer in answers]
        right += sum(guess == label for guess, (_, label) in zip(best, pairs))
        seen += len(pairs)
    return right / max(seen, 1), seen, split


def _readable(file: Path) -> Image | None:
    try:
        return read_image(file)
    except BadInput:
        return None
