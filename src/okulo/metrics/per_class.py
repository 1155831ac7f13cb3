"""Precision, recall and F1 of every class, and their averages."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Int64


@dataclass(frozen=True)
class PerClass:
    """One row a class. `support`: rows that are the class; `guessed`: rows that were answered so."""

    precision: Float64[np.ndarray, " k"]
    recall: Float64[np.ndarray, " k"]
    f1: Float64[np.ndarray, " k"]
    support: Int64[np.ndarray, " k"]
    guessed: Int64[np.ndarray, " k"]


def per_class(counts: Int[np.ndarray, "k k"]) -> PerClass:
    """Precision, recall and F1 from a confusion matrix (rows: truth).

    Recall is nan for a class with no row, precision for one that was never answered, F1 = 2tp/(2tp+fp+fn)
    for one that is neither. (scikit-learn calls these 0 by default.)

    >>> got = per_class(np.array([[3, 1, 0], [1, 5, 0], [0, 0, 0]]))
    >>> got.precision.round(3), got.recall.round(3), got.f1.round(3)
    (array([0.75 , 0.833, nan]), array([0.75 , 0.833, nan]), array([0.75 , 0.833, nan]))
    """
    right = np.diagonal(counts).astype(np.float64)
    support, guessed = counts.sum(axis=1), counts.sum(axis=0)
    return PerClass(
        precision=_share(right, guessed),
        recall=_share(right, support),
        f1=_share(2 * right, support + guessed),
        support=support.astype(np.int64),
        guessed=guessed.astype(np.int64),
    )


def _share(part: Float64[np.ndarray, " k"], whole: Int[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
    share: np.ndarray = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return share


def macro(values: Float64[np.ndarray, " k"], support: Int[np.ndarray, " k"]) -> float:
    """Mean over the classes that occur, each counting the same; nan if none does.

    A class that occurs and was never answered has no precision: it counts as 0.

    >>> macro(np.array([0.5, 1.0, np.nan, np.nan]), np.array([9, 1, 0, 5]))
    0.5
    """
    present = support > 0
    return float(np.nan_to_num(values[present]).mean()) if present.any() else float("nan")


def weighted(values: Float64[np.ndarray, " k"], support: Int[np.ndarray, " k"]) -> float:
    """Mean over the classes, each counting by its rows; nan without rows.

    >>> weighted(np.array([0.5, 1.0, np.nan]), np.array([9, 1, 0]))
    0.55
    """
    total = int(support.sum())
    return float(np.nan_to_num(values) @ support / total) if total else float("nan")


def balanced_accuracy(counts: Int[np.ndarray, "k k"]) -> float:
    """Mean recall of the classes that occur: what accuracy would be were they equally frequent.

    >>> balanced_accuracy(np.array([[98, 0], [1, 1]]))
    0.75
    """
    got = per_class(counts)
    return macro(got.recall, got.support)
