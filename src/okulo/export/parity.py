"""Is the exported file the network that was trained? Asked number by number before the file gets its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from okulo.algo.boxes import iou
from okulo.algo.resize import resize
from okulo.core.errors import BadInput
from okulo.core.model import OVERLAP, THRESHOLD, ModelInfo
from okulo.core.protocols import Answer, Image
from okulo.nets.bundle import Bundle
from okulo.nets.predictor import TorchPredictor
from okulo.runtime.engines import Session
from okulo.runtime.graph import INPUT
from okulo.runtime.modelfile import ModelFile, load, load_whole

TOLERANCE = 1e-4
"""Largest difference of a probability; of an embedding, relative to its largest value."""
BATCHES = (3, 7)
"""Neither is the batch size the graph is traced with."""
EVEN = 1e-3
"""Overlaps so near to the one that is allowed are decided by rounding."""
WHOLE = 4
"""How many pictures of each size go through the unsplit graph, one by one."""


@dataclass(frozen=True)
class Case:
    """One comparison: pictures of one size, `batch` at a time (0: one by one through the unsplit graph)."""

    size: str
    batch: int
    pictures: int
    worst: float
    same_best: bool


@dataclass(frozen=True)
class Parity:
    """What was compared with PyTorch, and how far the file was off at worst."""

    on: str
    worst: float
    cases: tuple[Case, ...]


def check_parity(bundle: Bundle, path: Path, pictures: Sequence[Image], on: str) -> Parity:
    """Compare a model file with the PyTorch pipeline; a difference is BadInput that says where it begins.

    Args:
        bundle: the network as it was trained (nothing folded, nothing replaced).
        path: the exported file.
        pictures: what both answer: as they are, and at two sizes more.
        on: what the pictures are, in words, for the report.
    """
    reference = TorchPredictor(bundle)
    file, whole = load(path), load_whole(path)
    cases: list[Case] = []
    for size, images in _sized(pictures, bundle.info.preprocess.size):
        wanted = _numbers(reference, images)
        for batch in BATCHES:
            file.batch_size = batch
            cases.append(_compare(size, batch, wanted, _numbers(file, images)))
        one_by_one = [_first(whole, image) for image in images[:WHOLE]]
        if bundle.info.task == "detect":
            found = reference.predict(images[:WHOLE])
            cases.append(_compare_boxes(size, found, one_by_one, bundle.info, images))
        else:
            cases.append(_compare(size, 0, wanted[:WHOLE], one_by_one))
        for case in cases[-len(BATCHES) - 1 :]:
            if case.worst > TOLERANCE or not case.same_best:
                raise _failed(case, reference, file, whole, images)
    return Parity(on, max(case.worst for case in cases), tuple(cases))


def _sized(pictures: Sequence[Image], size: tuple[int, int]) -> list[tuple[str, list[Image]]]:
    larger = (2 * size[0] + 5, size[1] + 17)
    smaller = (max(1, size[0] // 2), max(1, (2 * size[1]) // 3 - 1))
    return [
        ("as they are", list(pictures)),
        (f"{larger[0]} × {larger[1]}", [resize(image, larger) for image in pictures]),
        (f"{smaller[0]} × {smaller[1]}", [resize(image, smaller) for image in pictures]),
    ]


def _numbers(model: TorchPredictor | ModelFile, images: Sequence[Image]) -> list[Answer]:
    """What is compared of each picture: its answer; of a detector all its candidates, not only those kept."""
    if model.info.task != "detect":
        return list(model.predict(images))
    rows: list[Answer] = []
    for start in range(0, len(images), model.batch_size):
        some = images[start : start + model.batch_size]
        if isinstance(model, TorchPredictor):
            said = model.answer(some)
        else:
            said = model.answer(np.stack([model.prepare(image) for image in some]))
        rows += [{name: value[row] for name, value in said.items()} for row in range(len(some))]
    return rows


def _compare_boxes(
    size: str, wanted: Sequence[Answer], got: Sequence[Answer], info: ModelInfo, images: Sequence[Image]
) -> Case:
    """Compare what is found: each box with the nearest one of its class on the other side.

    A box whose score is at the threshold, or that overlaps with another just as much as it may, can be there
    on one side only.
    """
    worst = 0.0
    threshold = info.threshold.value if info.threshold else THRESHOLD
    overlap = OVERLAP if info.overlap is None else info.overlap
    for one, other, image in zip(wanted, got, images):
        for mine, theirs in ((one, other), (other, one)):
            for box, score, label in zip(mine["boxes"], mine["scores"], mine["labels"]):
                same = theirs["labels"] == label
                off = np.abs(theirs["boxes"][same] - box).max(axis=1, initial=0) / max(image.shape[:2])
                nearest = np.maximum(off, np.abs(theirs["scores"][same] - score)).min(initial=np.inf)
                shares = iou(box[None], theirs["boxes"][same])[0]
                at_edge = abs(score - threshold) <= 2 * TOLERANCE
                if nearest > TOLERANCE and not at_edge and not (np.abs(shares - overlap) < EVEN).any():
                    worst = max(worst, float(min(nearest, 1.0)))
                elif nearest <= TOLERANCE:
                    worst = max(worst, float(nearest))
    return Case(size, 0, len(got), worst, worst <= TOLERANCE)


def _first(whole: Session, image: Image) -> Answer:
    return {name: value[0] for name, value in whole.run({INPUT: image}).items()}


def _compare(size: str, batch: int, wanted: Sequence[Answer], got: Sequence[Answer]) -> Case:
    worst, same = 0.0, True
    for one, other in zip(wanted, got):
        for name, value in one.items():
            scale = 1.0 if name == "probabilities" else max(1.0, float(np.abs(value).max()))
            off = float(np.abs(value - other[name]).max()) / scale
            worst = max(worst, off if np.isfinite(off) else np.inf)
        if "probabilities" in one:
            same &= _same_best(one["probabilities"], other["probabilities"])
    return Case(size, batch, len(got), worst, bool(same))


def _same_best(wanted: np.ndarray, got: np.ndarray) -> bool:
    """Is the best class the same; a tie within the tolerance is no difference."""
    return bool(wanted.max() - wanted[got.argmax()] <= 2 * TOLERANCE)


def _failed(
    case: Case, reference: TorchPredictor, file: ModelFile, whole: Session, images: Sequence[Image]
) -> BadInput:
    where = f"pictures {case.size}, " + (f"batch of {case.batch}" if case.batch else "the unsplit graph")
    pixels = max(float(np.abs(reference.prepare(image) - file.prepare(image)).max()) for image in images)
    if pixels > 0:
        begins = f"pre-processing differs first: `pixels` are off by up to {pixels:.2g}"
    else:
        begins = f"`pixels` agree, so it is the network{_which_output(reference, whole, images)}"
    return BadInput(
        "parity",
        f"the exported file answers unlike PyTorch: off by up to {case.worst:.2g} "
        f"(allowed {TOLERANCE:g}) with {where}; {begins}",
        hint="no file was written",
    )


def _which_output(reference: TorchPredictor, whole: Session, images: Sequence[Image]) -> str:
    """Name the outputs that differ on the first picture."""
    wanted, got = reference.predict(images[:1])[0], _first(whole, images[0])
    if reference.info.task == "detect":
        return f": {len(wanted['scores'])} boxes against {len(got['scores'])} in the first picture"
    off = {name: float(np.abs(wanted[name] - got[name]).max()) for name in wanted}
    return ": " + ", ".join(f"{name} by {value:.2g}" for name, value in off.items())
