"""`okulo evaluate` of a detector: average precision on a table with boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from okulo.algo.detect import detections_of
from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.core.nouns import Detections, Findings
from okulo.core.protocols import Answer, Image, Predictor, Progress, silent
from okulo.evaluate.measure import EvaluateParams
from okulo.evaluate.source import pick
from okulo.io.files import write_json
from okulo.io.images import read_image
from okulo.io.tables import read_items
from okulo.metrics.detection import average_precision

LOWEST = 0.001
"""The threshold to measure with: precision at high recall needs the unsure boxes too."""
Row = tuple[str, str, float, str]


@dataclass(frozen=True)
class ClassPrecision:
    """One class: how many boxes are there, and how well they were found."""

    label: str
    boxes: int
    precision: float
    precision_at_50: float


@dataclass(frozen=True)
class BoxesReport:
    """How well a detector finds what is there."""

    name: str
    items: Path
    split: str
    pictures: int
    boxes: int
    unknown: int
    """Boxes whose label the model does not know: left out."""
    mean_precision: float
    """COCO's AP: mean over overlaps of .5 to .95 and classes."""
    precision_at_50: float
    precision_at_75: float
    classes: tuple[ClassPrecision, ...]
    """Those with boxes, the worst first."""
    findings: Findings
    report: Path


def run(
    params: EvaluateParams, predictor: Predictor[Image, Answer], info: ModelInfo, progress: Progress = silent
) -> BoxesReport:
    """Ask for every picture, measure, and write `report.json`; the predictor must keep unsure boxes."""
    items = read_items(params.items)
    if "boxes" not in items.frame.columns:
        raise BadInput(str(params.items), "has no column boxes", hint="`okulo scan` reads COCO and YOLO sets")
    part, split = pick(items, params.split, ("test", "val"))
    truth: list[Detections] = []
    guess: list[Detections] = []
    broken: list[Row] = []
    rows = zip(part.files(), part.frame["path"], part.frame["boxes"].to_list())
    size = min(params.batch_size, 8)
    unknown = 0
    waiting = iter(progress(rows, label="detecting", total=len(part)))
    while some := list(islice(waiting, size)):
        images: list[Image] = []
        for file, path, boxes in some:
            try:
                images.append(read_image(file))
            except BadInput as error:  # one bad picture must not stop the measuring
                broken.append((path, "unreadable", 1.0, str(error)))
                continue
            there, strange = truth_of(boxes or [], info.classes)
            truth.append(there)
            unknown += strange
        guess += [detections_of(said) for said in predictor.predict(images)]
    report = _report(params, info, split, truth, guess, unknown, Findings.of(broken))
    write_json(report.report, report)
    return report


def truth_of(boxes: Sequence[dict[str, float | str]], classes: Sequence[str]) -> tuple[Detections, int]:
    """Read a table's boxes; and how many have a label the model does not know.

    >>> truth_of([{"x0": 0, "y0": 0, "x1": 2, "y1": 2, "label": "cow"}], ["cat"])[1]
    1
    """
    places = {name: index for index, name in enumerate(classes)}
    known = [each for each in boxes if each["label"] in places]
    xyxy = np.array([[each[side] for side in ("x0", "y0", "x1", "y1")] for each in known], np.float32)
    label = np.array([places[str(each["label"])] for each in known], np.int32)
    return Detections(xyxy.reshape(-1, 4), np.ones(len(known), np.float32), label), len(boxes) - len(known)


def _report(
    params: EvaluateParams, info: ModelInfo, split: str, truth: list[Detections], guess: list[Detections],
    unknown: int, findings: Findings,
) -> BoxesReport:  # fmt: skip
    counts = np.zeros(len(info.classes), np.int64)
    for each in truth:
        counts += np.bincount(each.label, minlength=len(counts))
    if not counts.any():
        hint = f"{unknown} have labels the model does not know" if unknown else ""
        raise BadInput(str(params.items), wanted="boxes of the model's classes", got="none", hint=hint)
    measured = average_precision(truth, guess, classes=len(info.classes))
    means = measured.by_class()
    order = sorted(np.flatnonzero(counts), key=lambda label: means[label])
    by_class = tuple(
        ClassPrecision(info.classes[k], int(counts[k]), float(means[k]), float(measured.each[0, k]))
        for k in order
    )
    return BoxesReport(
        name=info.name,
        items=params.items,
        split=split,
        pictures=len(truth),
        boxes=int(counts.sum()),
        unknown=unknown,
        mean_precision=measured.mean,
        precision_at_50=measured.at_50,
        precision_at_75=measured.at_75,
        classes=by_class,
        findings=findings,
        report=params.output / "report.json",
    )
