"""Average precision of boxes, as COCO counts it: mean over overlaps of .5 to .95, 101 points of recall.

The rules are those of https://cocodataset.org/#detection-eval for all sizes and 100 boxes a picture (crowds
are no truth here: the readers leave them out). Checked against `faster-coco-eval`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from okulo.algo.boxes import iou
from okulo.core.checks import check_same_length
from okulo.core.errors import BadInput
from okulo.core.nouns import Detections

OVERLAPS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST = 100
"""Boxes of a class that count in one picture, the surest first."""


@dataclass(frozen=True)
class AveragePrecision:
    """Average precision at each overlap (rows) of each class (columns); a class without truth is nan."""

    each: Float64[np.ndarray, "o k"]

    @property
    def mean(self) -> float:
        """Mean over overlaps .5 to .95 and classes: COCO's AP."""
        return _mean(self.each)

    @property
    def at_50(self) -> float:
        """At an overlap of .5 (Pascal VOC's)."""
        return _mean(self.each[0])

    @property
    def at_75(self) -> float:
        """At an overlap of .75."""
        return _mean(self.each[5])

    def by_class(self) -> Float64[np.ndarray, " k"]:
        """Give each class's mean over the overlaps."""
        return np.array([_mean(column) for column in self.each.T])


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def average_precision(
    truth: Sequence[Detections], guess: Sequence[Detections], *, classes: int
) -> AveragePrecision:
    """Measure boxes that were found against those that are there; entry i of both is picture i.

    >>> there = Detections(np.float32([[0, 0, 10, 10]]), np.float32([1]), np.int32([0]))
    >>> near, far = [0, 0, 10, 8], [50, 50, 60, 60]
    >>> found = Detections(np.float32([near, far]), np.float32([0.9, 0.8]), np.int32([0, 0]))
    >>> measured = average_precision([there], [found], classes=1)
    >>> measured.at_50, round(measured.mean, 2)  # its overlap is .8: right for .5 to .8, 7 of the 10
    (1.0, 0.7)
    """
    check_same_length(truth=truth, guess=guess)
    for name, pictures in (("truth", truth), ("guess", guess)):
        worst = max((int(each.label.max(initial=-1)) for each in pictures), default=-1)
        if worst >= classes:
            raise BadInput(name, wanted=f"classes 0 to {classes - 1}", got=worst)
    each = [_of_class(truth, guess, label) for label in range(classes)]
    return AveragePrecision(np.stack(each, axis=1) if each else np.empty((len(OVERLAPS), 0)))


def best_threshold(
    truth: Sequence[Detections], guess: Sequence[Detections], *, classes: int
) -> tuple[float, float]:
    """Find the score above which boxes have the best F1 at an overlap of .5, all classes together; and it.

    >>> there = Detections(np.float32([[0, 0, 10, 10]]), np.float32([1]), np.int32([0]))
    >>> boxes = np.float32([[0, 0, 10, 9], [50, 50, 60, 60]])
    >>> found = Detections(boxes, np.float32([0.9, 0.5]), np.int32([0, 0]))
    >>> threshold, f1 = best_threshold([there], [found], classes=1)
    >>> round(threshold, 2), f1
    (0.7, 1.0)
    """
    check_same_length(truth=truth, guess=guess)
    parts = [_rights(truth, guess, label) for label in range(classes)]
    score = np.concatenate([part[0] for part in parts])
    order = np.argsort(-score, kind="stable")
    score, hits = score[order].astype(np.float64), np.concatenate([part[1][0] for part in parts])[order]
    count = sum(part[2] for part in parts)
    if not hits.any():
        return 0.5, 0.0
    f1 = 2 * np.cumsum(hits) / (np.arange(1, len(hits) + 1) + count)
    best = int(f1.argmax())
    below = score[best + 1] if best + 1 < len(score) else 0.0
    return float((score[best] + below) / 2), float(f1[best])


def _of_class(
    truth: Sequence[Detections], guess: Sequence[Detections], label: int
) -> Float64[np.ndarray, " o"]:
    score, right, count = _rights(truth, guess, label)
    if count == 0:
        return np.full(len(OVERLAPS), np.nan)
    hits = right[:, np.argsort(-score, kind="stable")]
    return np.array([_area(row, count) for row in hits])


def _rights(
    truth: Sequence[Detections], guess: Sequence[Detections], label: int
) -> tuple[np.ndarray, Bool[np.ndarray, "o n"], int]:
    """Scores of the boxes of a class, whether each is right at each overlap, and how many there are."""
    scores: list[np.ndarray] = []
    right: list[np.ndarray] = []
    count = 0
    for there, found in zip(truth, guess):
        wanted = there.xyxy[there.label == label]
        rows = np.flatnonzero(found.label == label)
        rows = rows[np.argsort(-found.score[rows], kind="stable")][:MOST]
        count += len(wanted)
        scores.append(found.score[rows])
        right.append(_matched(iou(found.xyxy[rows], wanted).astype(np.float64)))
    if not scores:
        return np.empty(0), np.empty((len(OVERLAPS), 0), bool), 0
    return np.concatenate(scores), np.concatenate(right, axis=1), count


def _matched(shares: Float64[np.ndarray, "n m"]) -> Bool[np.ndarray, "o n"]:
    """Which found boxes are right, at each overlap: the surest first takes the best truth still free."""
    found, there = shares.shape
    right = np.zeros((len(OVERLAPS), found), bool)
    if there == 0:
        return right
    free = np.ones((len(OVERLAPS), there), bool)
    for row in range(found):
        left = np.where(free, shares[row], -1.0)
        best = there - 1 - left[:, ::-1].argmax(axis=1)  # of equals COCO takes the last
        hit = left[np.arange(len(OVERLAPS)), best] >= OVERLAPS - 1e-10
        right[hit, row] = True
        free[hit, best[hit]] = False
    return right


def _area(hits: Bool[np.ndarray, " n"], count: int) -> float:
    """Mean of the best precision at 101 recalls or beyond."""
    rights = np.cumsum(hits)
    recall = rights / count
    precision = rights / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(recall, RECALLS, side="left")
    return float(np.where(place < len(hits), np.append(best, 0.0)[np.minimum(place, len(hits))], 0.0).mean())
