"""What is known of the items to choose from: vectors, and how a model answers for them."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from okulo.core.errors import BadInput
from okulo.curate.audit_columns import class_order, read_groups, read_vectors
from okulo.curate.audit_probe import fit_probe, landmark_features, make_folds, prepare, probe
from okulo.curate.outliers import find_neighbours
from okulo.curate.pick_params import PickParams
from okulo.curate.pick_scores import UNCERTAINTY

SAMPLE = 5_000
"""The kernel's width is measured on so many rows at most."""


@dataclass(frozen=True)
class Answers:
    """Row j is about the j-th item of the pool."""

    asked: str
    classes: tuple[str, ...] = ()
    probabilities: np.ndarray | None = None
    best: np.ndarray | None = None
    vectors: np.ndarray | None = None
    labelled_vectors: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.float32))
    have: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """Labels there are of each class."""
    error_rate: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Of items taken for each class, the share that is something else (by the labels, out of fold)."""


def ask(frame: pl.DataFrame, pool: np.ndarray, labelled: np.ndarray, params: PickParams) -> Answers:
    """Find out what the method needs to know, and no more."""
    unsure = params.method in (*UNCERTAINTY, "combined", "error-rate") or params.balance
    variety = params.method in ("combined", "k-center")
    given = "probabilities" in frame.columns and params.source != "probe" and not params.for_class
    if params.source == "given" and not given:
        raise BadInput("table", "has no column probabilities", hint="`okulo predict` makes one")
    vectors = None
    if variety or (unsure and not given):
        if params.embedding not in frame.columns and given and params.method == "combined":
            variety = False  # uncertainty alone is better than nothing
        else:
            vectors = prepare(read_vectors(frame, params.embedding)[0])
    shown = vectors[pool] if vectors is not None and variety else None
    known = vectors[labelled] if vectors is not None and variety else np.zeros((0, 1), np.float32)
    if not unsure:
        asked = "nobody: by variety alone" if variety else "nobody"
        return Answers(asked=asked, vectors=shown, labelled_vectors=known)
    if given:
        return _given(frame, pool, labelled, shown, known)
    assert vectors is not None
    return _probed(frame, pool, labelled, vectors, shown, known, params)


def _given(
    frame: pl.DataFrame, pool: np.ndarray, labelled: np.ndarray, shown: np.ndarray | None, known: np.ndarray
) -> Answers:
    said, usable = read_vectors(frame, "probabilities")
    if not usable[pool].all():
        missing = int((~usable[pool]).sum())
        raise BadInput("column probabilities", f"is empty for {missing:,} items to choose from")
    classes = class_order(frame, said.shape[1], (), usable)
    target = _targets(frame, classes, labelled)
    seen = usable[labelled] & (target >= 0)
    best = said.argmax(axis=1)
    return Answers(
        asked="the table's probabilities", classes=classes, probabilities=said[pool], best=best[pool],
        vectors=shown, labelled_vectors=known, have=np.bincount(target[target >= 0], minlength=len(classes)),
        error_rate=error_rates(best[labelled][seen], target[seen], len(classes)),
    )  # fmt: skip


def _probed(
    frame: pl.DataFrame,
    pool: np.ndarray,
    labelled: np.ndarray,
    vectors: np.ndarray,
    shown: np.ndarray | None,
    known: np.ndarray,
    params: PickParams,
) -> Answers:
    if params.for_class:
        classes: tuple[str, ...] = (f"no {params.for_class}", params.for_class)
        holds = frame["labels"].to_list() if "labels" in frame.columns else [None] * len(frame)
        target = np.array([int(params.for_class in (holds[i] or ())) for i in labelled], np.int64)
    else:
        classes = tuple(sorted(set(frame["label"].drop_nulls()))) if "label" in frame.columns else ()
        target = _targets(frame, classes, labelled)
    if len(set(target.tolist())) < 2:
        if params.method == "combined" and not params.balance:
            asked = "nobody yet (labels of two classes are needed): by variety alone"
            return Answers(asked=asked, vectors=shown, labelled_vectors=known)
        raise BadInput(
            "uncertainty", wanted="probabilities, or labels of two classes", got=f"{len(labelled):,} labels",
            hint="--method k-center needs neither",
        )  # fmt: skip
    rng = np.random.default_rng(params.seed)
    some = rng.permutation(len(vectors))[:SAMPLE]
    features = landmark_features(vectors, find_neighbours(vectors[some]), rng=rng)
    answer = fit_probe(features[labelled], target, features[pool], classes=len(classes))
    rates = np.full(len(classes), 0.5)
    if params.method == "error-rate":
        groups = read_groups(frame)
        fold = make_folds(target, None if groups is None else groups[labelled], folds=5, rng=rng)
        checked = probe(features[labelled], target, fold, np.ones(len(target)), classes=len(classes))
        rates = error_rates(checked.argmax(axis=1), target, len(classes))
    return Answers(
        asked=f"a probe fitted to {len(labelled):,} labels", classes=classes, probabilities=answer,
        best=answer.argmax(axis=1), vectors=shown, labelled_vectors=known,
        have=np.bincount(target, minlength=len(classes)), error_rate=rates,
    )  # fmt: skip


def _targets(frame: pl.DataFrame, classes: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
    place = {name: i for i, name in enumerate(classes)}
    labels = frame["label"].to_list() if "label" in frame.columns else [""] * len(frame)
    return np.array([place.get(labels[i], -1) for i in rows.tolist()], np.int64)


def error_rates(best: np.ndarray, target: np.ndarray, classes: int) -> np.ndarray:
    """Share of wrong answers among those that say each class; one wrong and one right are added to each.

    >>> error_rates(np.array([0, 0, 1]), np.array([0, 1, 1]), 3).round(2).tolist()
    [0.5, 0.33, 0.5]
    """
    said = np.bincount(best, minlength=classes)
    wrong = np.bincount(best[best != target], minlength=classes)
    return np.asarray((wrong + 1) / (said + 2), np.float64)
