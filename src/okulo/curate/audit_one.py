"""Judge the labels of items that have one class each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int64

from okulo.core.errors import BadInput
from okulo.core.protocols import Progress
from okulo.core.table import Items
from okulo.curate.audit_columns import class_order, read_groups, read_vectors
from okulo.curate.audit_estimate import Estimate, estimate_wrong
from okulo.curate.audit_probe import make_folds, out_of_fold, prepare
from okulo.curate.label_issues import best_other, doubt
from okulo.io.walk import Row


@dataclass(frozen=True)
class Judged:
    """What was said of the items that could be judged; row j is about row `where[j]` of the table."""

    where: Int64[np.ndarray, " m"]
    doubt: Float[np.ndarray, " m"]
    severity: Float[np.ndarray, " m"]
    contradicts: Bool[np.ndarray, " m"]
    kinds: Sequence[str]
    """Kind of finding, "" for none."""
    suggested: Sequence[str]
    reasons: Sequence[str]
    estimate: Estimate
    asked: str
    rows: list[Row] = field(default_factory=list)
    """Findings about items that could not be judged."""
    many: bool = False


def judge_one(
    items: Items,
    index: Int64[np.ndarray, " n"],
    classes: tuple[str, ...],
    rows: list[Row],
    *,
    source: str,
    column: str,
    said: bool,
    folds: int,
    rounds: int,
    retrain: Any,  # a callable; its hint lives where it is called, and beartype reads no cycles
    rng: np.random.Generator,
    progress: Progress,
) -> Judged:
    """Ask out of fold, and compare with the labels."""
    frame = items.frame
    usable = index >= 0
    if source == "given":
        given, has = read_vectors(frame, "probabilities")
        order = class_order(frame, given.shape[1], classes if said else (), has)
        index, classes = _reordered(index, classes, order)
        usable = (index >= 0) & has
    elif source == "probe":
        vectors, has = read_vectors(frame, column)
        usable &= has
    if not usable.any():
        raise BadInput("table", "has no item with both a label and a vector")
    usable, small = _without_small(index, usable, classes, folds)
    where = np.flatnonzero(usable)
    seen = np.unique(index[where])
    if len(seen) < 2:
        only = classes[seen[0]] if len(seen) else "none"
        raise BadInput("column label", wanted=f"two classes or more with {folds} items each", got=only)
    groups = read_groups(frame)
    inside = None if groups is None else groups[where]
    label = index[where]
    if source == "given":
        answer, asked = _normalised(given[where]), "the table's probabilities"
    elif source == "deep":
        fold = make_folds(label, inside, folds=folds, rng=rng)
        part = Items(frame[where.tolist()], items.root)
        answer = retrain(part, fold, classes, progress).astype(np.float32)
        asked = f"a network trained {folds} times"
    else:
        answer = out_of_fold(
            prepare(vectors[where]), label, inside,
            classes=len(classes), folds=folds, rounds=rounds, rng=rng, progress=progress,
        )  # fmt: skip
        asked = f"a probe on {column}, {folds} folds, {rounds} rounds"
    return _compare(frame, where, label, inside, classes, answer, [*rows, *small], asked, rng)


def _reordered(
    index: np.ndarray, classes: tuple[str, ...], order: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    place = {name: i for i, name in enumerate(order)}
    to = np.array([place.get(name, -1) for name in classes] + [-1], np.int64)
    return to[index], order


def _normalised(given: np.ndarray) -> np.ndarray:
    if (given < -1e-4).any() or not np.allclose(given.sum(axis=1), 1, atol=0.02):
        raise BadInput(
            "column probabilities", wanted="rows that sum to 1", got=f"{given.sum(axis=1).min():.3g}"
        )
    return np.asarray(np.clip(given, 0, 1), np.float32)


def _without_small(
    index: np.ndarray, usable: np.ndarray, classes: tuple[str, ...], folds: int
) -> tuple[np.ndarray, list[Row]]:
    """Leave out classes with fewer items than folds: some fold would have to judge what it never saw."""
    count = np.bincount(index[usable], minlength=len(classes))
    small = [i for i in range(len(classes)) if 0 < count[i] < folds]
    rows: list[Row] = [
        (f"class {classes[i]}", "small-class", 0.6, f"{count[i]} items, fewer than the {folds} folds")
        for i in small
    ]
    return usable & ~np.isin(index, small), rows


def _compare(
    frame: pl.DataFrame,
    where: np.ndarray,
    label: np.ndarray,
    groups: np.ndarray | None,
    classes: tuple[str, ...],
    answer: np.ndarray,
    rows: list[Row],
    asked: str,
    rng: np.random.Generator,
) -> Judged:
    scores = doubt(answer, label)
    estimate, severity = estimate_wrong(answer, label, rng=rng)
    other = best_other(answer, label)
    share, rivals = contradictions(label, groups)
    contradicts = share < 1
    severity = np.maximum(severity, np.where(contradicts, 1 - share, 0)).astype(np.float32)
    own = answer[np.arange(len(label)), label]
    kinds, suggested, reasons = [], [], []
    for j in range(len(label)):
        kind = "contradiction" if contradicts[j] else "wrong-label" if scores[j] > 0 else ""
        to = classes[other[j]]
        reason = f"{to} {answer[j, other[j]]:.0%}, {classes[label[j]]} {own[j]:.0%}" if kind else ""
        if contradicts[j]:
            said = ", ".join(classes[c] for c in sorted(rivals[int(groups[j])]))  # type: ignore[index]
            reason = f"its copies are labelled {said}; {reason}"
            # A picture whose own label is likelier than its copies' is the one that is right.
            to = to if scores[j] > 0 else classes[label[j]]
        kinds.append(kind)
        suggested.append(to)
        reasons.append(reason)
    return Judged(where, scores, severity, contradicts, kinds, suggested, reasons, estimate, asked, rows)


def contradictions(
    label: Int64[np.ndarray, " n"], groups: Int64[np.ndarray, " n"] | None
) -> tuple[Float[np.ndarray, " n"], dict[int, set[int]]]:
    """For each item the share of its group with its label (1: all, or no group); and groups that disagree.

    >>> share, rivals = contradictions(np.array([0, 0, 1, 2]), np.array([5, 5, 5, -1]))
    >>> share.round(2).tolist(), rivals
    ([0.67, 0.67, 0.33, 1.0], {5: {0, 1}})
    """
    share = np.ones(len(label))
    rivals: dict[int, set[int]] = {}
    if groups is None:
        return share, rivals
    members: dict[int, list[int]] = {}
    for j in np.flatnonzero(groups >= 0).tolist():
        members.setdefault(int(groups[j]), []).append(j)
    for group, rows in members.items():
        said = label[rows]
        if len(set(said.tolist())) > 1:
            rivals[group] = set(said.tolist())
            for j in rows:
                share[j] = float((said == label[j]).mean())
    return share, rivals
