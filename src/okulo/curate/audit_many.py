"""Judge the labels of items that can have several classes, not all of which were looked for."""

import numpy as np
import polars as pl

from okulo.core.errors import BadInput
from okulo.core.protocols import Progress
from okulo.curate.audit_columns import read_groups, read_vectors
from okulo.curate.audit_estimate import Estimate, estimate_wrong
from okulo.curate.audit_one import Judged
from okulo.curate.audit_probe import out_of_fold, prepare
from okulo.curate.label_issues import doubt
from okulo.curate.outliers import find_neighbours
from okulo.io.walk import Row


def judge_many(
    frame: pl.DataFrame,
    classes: tuple[str, ...],
    column: str,
    folds: int,
    rounds: int,
    rng: np.random.Generator,
    progress: Progress,
) -> Judged:
    """Ask for every class by itself, over the items where somebody looked for it; unknown is not "no".

    An item stands in the queue by the gravest doubt any of its classes raises; the estimate counts pairs of
    item and class.
    """
    vectors, usable = read_vectors(frame, column)
    named = classes or _every_class(frame)
    holds, known = read_many(frame, named)
    groups = read_groups(frame)
    n = len(frame)
    worst = np.full(n, -np.inf)
    severity = np.zeros(n, np.float32)
    about: list[tuple[str, str, str]] = [("", "", "")] * n
    estimates: list[Estimate] = []
    rows: list[Row] = _unknown(frame, named)
    for c, name in enumerate(named):
        where = np.flatnonzero(known[:, c] & usable)
        label = holds[where, c].astype(np.int64)
        if min(label.sum(), len(label) - label.sum()) < folds:
            rows.append(
                (f"class {name}", "small-class", 0.6, f"fewer than {folds} items with it, or without it")
            )
            continue
        scaled = prepare(vectors[where])
        inside = None if groups is None else groups[where]
        answer = out_of_fold(
            scaled, label, inside, classes=2, folds=folds, rounds=rounds, rng=rng,
            neighbours=find_neighbours(scaled, inside), progress=progress,
        )  # fmt: skip
        estimate, sure = estimate_wrong(answer, label, rng=rng)
        estimates.append(estimate)
        scores = doubt(answer, label)
        for j in np.flatnonzero(scores > worst[where]).tolist():
            i = int(where[j])
            worst[i], severity[i] = scores[j], sure[j]
            kind = ("extra-label" if label[j] else "missing-label") if scores[j] > 0 else ""
            about[i] = kind, name, f"{name} holds with {answer[j, 1]:.0%}" if kind else ""
    if not estimates:
        raise BadInput("column labels", wanted=f"a class with {folds} items and {folds} without", got="none")
    judged = np.flatnonzero(np.isfinite(worst))
    total = Estimate(
        *(sum(values) for values in zip(*((e.items, e.wrong, e.low, e.high) for e in estimates)))
    )
    said = [about[i] for i in judged.tolist()]
    return Judged(
        judged, worst[judged], severity[judged], np.zeros(len(judged), bool),
        [each[0] for each in said], [each[1] for each in said], [each[2] for each in said],
        total, f"a probe on {column} for each of {len(estimates)} classes", rows, many=True,
    )  # fmt: skip


def read_many(frame: pl.DataFrame, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Which classes hold, and which were looked for, both `(n, k)`; a class that is named was looked for.

    >>> frame = pl.DataFrame({"labels": [["cat"], []], "labelled_for": [["cat", "dog"], ["dog"]]})
    >>> [each.tolist() for each in read_many(frame, ("cat", "dog"))]
    [[[True, False], [False, False]], [[True, True], [False, True]]]
    """
    labels = frame["labels"].to_list()
    holds = np.array([[name in (said or ()) for name in classes] for said in labels], bool)
    if "labelled_for" in frame.columns:
        looked = frame["labelled_for"].to_list()
        known = np.array([[name in (said or ()) for name in classes] for said in looked], bool) | holds
    else:
        known = np.array([[said is not None] * len(classes) for said in labels], bool)
    return holds.reshape(-1, len(classes)), known.reshape(-1, len(classes))


def _every_class(frame: pl.DataFrame) -> tuple[str, ...]:
    named = sorted(set(frame["labels"].drop_nulls().explode(empty_as_null=True).drop_nulls()))
    if not named:
        raise BadInput("column labels", wanted="at least one class", got="none in any row")
    return tuple(named)


def _unknown(frame: pl.DataFrame, classes: tuple[str, ...]) -> list[Row]:
    return [
        (path, "unknown-class", 1.0, f"{name!r} is no known class")
        for path, said in frame.select("path", "labels").iter_rows()
        for name in said or ()
        if name not in classes
    ]
