"""Several classes may hold at once, and not every class was looked for in every picture.

`known[i, j]` says whether somebody looked for class j in row i; where nobody did, neither truth nor score
counts. `None` means that everything is known.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64

from okulo.core.checks import check_same_length


def average_precision(
    truth: Bool[np.ndarray, "n k"],
    score: Float[np.ndarray, "n k"],
    known: Bool[np.ndarray, "n k"] | None = None,
) -> Float64[np.ndarray, " k"]:
    """Average precision of every class: Σ (recall step) · precision, over falling distinct scores.

    No interpolation, as scikit-learn has it; equal scores enter together. A class without a known positive
    has nan.

    >>> truth = np.array([[True, False], [False, False], [True, False]])
    >>> average_precision(truth, np.array([[0.9, 0.1], [0.8, 0.1], [0.7, 0.1]])).round(3)
    array([0.833, nan])
    """
    check_same_length(truth=truth, score=score)
    whole = np.ones(truth.shape, bool) if known is None else known
    columns = range(truth.shape[1])
    return np.array([_average_precision(truth[whole[:, j], j], score[whole[:, j], j]) for j in columns])


def _average_precision(truth: Bool[np.ndarray, " n"], score: Float[np.ndarray, " n"]) -> float:
    positives = int(truth.sum())
    if positives == 0:
        return float("nan")
    order = np.argsort(-score, kind="stable")
    values = score[order]
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)  # last row of equals
    hits = np.cumsum(truth[order])[ends]
    steps = np.diff(hits, prepend=0) / positives
    return float(steps @ (hits / (ends + 1)))


def mean_average_precision(
    truth: Bool[np.ndarray, "n k"],
    score: Float[np.ndarray, "n k"],
    known: Bool[np.ndarray, "n k"] | None = None,
) -> float:
    """Mean of the classes' average precision; classes without a known positive are left out.

    >>> truth = np.array([[True, False], [False, False], [True, False]])
    >>> mean_average_precision(truth, np.array([[0.9, 0.1], [0.8, 0.1], [0.7, 0.1]])).__round__(3)
    0.833
    """
    values = average_precision(truth, score, known)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def multilabel_f1(
    truth: Bool[np.ndarray, "n k"],
    guess: Bool[np.ndarray, "n k"],
    known: Bool[np.ndarray, "n k"] | None = None,
) -> Float64[np.ndarray, " k"]:
    """F1 of every class over the rows where it is known; nan where it neither holds nor is guessed.

    >>> truth = np.array([[True, True], [False, True]])
    >>> multilabel_f1(truth, np.array([[True, False], [True, True]])).round(3)
    array([0.667, 0.667])
    >>> multilabel_f1(truth, np.array([[True, False], [True, True]]), np.array([[True, False]] * 2)).round(3)
    array([0.667, nan])
    """
    right, total = _f1_counts(truth, guess, known)
    f1: np.ndarray = np.divide(2.0 * right, total, out=np.full(len(total), np.nan), where=total > 0)
    return f1


def multilabel_micro_f1(
    truth: Bool[np.ndarray, "n k"],
    guess: Bool[np.ndarray, "n k"],
    known: Bool[np.ndarray, "n k"] | None = None,
) -> float:
    """F1 over all known cells together, so that frequent classes count more; nan without a positive.

    >>> truth = np.array([[True, True], [False, True]])
    >>> multilabel_micro_f1(truth, np.array([[True, False], [True, True]])).__round__(3)
    0.667
    """
    right, total = _f1_counts(truth, guess, known)
    return float(2.0 * right.sum() / total.sum()) if total.sum() else float("nan")


def _f1_counts(
    truth: Bool[np.ndarray, "n k"], guess: Bool[np.ndarray, "n k"], known: Bool[np.ndarray, "n k"] | None
) -> tuple[np.ndarray, np.ndarray]:
    check_same_length(truth=truth, guess=guess)
    whole = np.ones(truth.shape, bool) if known is None else known
    return (truth & guess & whole).sum(axis=0), ((truth & whole).sum(axis=0) + (guess & whole).sum(axis=0))
