"""The reject option: below a confidence the answer is "I don't know", and a refusal is no error."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from okulo.core.checks import check_finite, check_same_length


@dataclass(frozen=True)
class RejectCurve:
    """What every possible threshold does; one row a distinct confidence, lowest first.

    An answer is kept if its confidence is ≥ the threshold, so the first row keeps all. Equal confidences are
    kept or refused together. `answers`, `errors`: how many are kept.
    """

    threshold: Float64[np.ndarray, " m"]
    answers: Int64[np.ndarray, " m"]
    errors: Int64[np.ndarray, " m"]

    @property
    def kept(self) -> Float64[np.ndarray, " m"]:
        """Share of the answers kept."""
        share: np.ndarray = self.answers / self.answers[:1]
        return share

    @property
    def errors_kept(self) -> Float64[np.ndarray, " m"]:
        """Share of the original errors that are still given; nan everywhere where there was none."""
        unknown = np.full(len(self.errors), np.nan)
        share: np.ndarray = np.divide(self.errors, self.errors[:1], out=unknown, where=self.has)
        return share

    @property
    def risk(self) -> Float64[np.ndarray, " m"]:
        """Share of errors among the answers that are kept."""
        share: np.ndarray = self.errors / self.answers
        return share

    @property
    def has(self) -> bool:
        """Whether there is any error to avoid."""
        return bool(len(self.errors) and self.errors[0] > 0)

    def at(self, threshold: float) -> tuple[int, int]:
        """Answers and errors that this threshold keeps.

        >>> curve = reject_curve(np.array([0.5, 0.9, 0.9]), np.array([False, True, False]))
        >>> curve.at(0.0), curve.at(0.5), curve.at(0.7), curve.at(0.95)
        ((3, 2), (3, 2), (2, 1), (0, 0))
        """
        row = int(np.searchsorted(self.threshold, threshold))
        return (int(self.answers[row]), int(self.errors[row])) if row < len(self.threshold) else (0, 0)


def reject_curve(confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> RejectCurve:
    """For every threshold: how many answers and how many of the errors are kept. O(n log n).

    >>> curve = reject_curve(np.array([0.5, 0.9, 0.6, 0.9]), np.array([False, True, False, True]))
    >>> curve.threshold, curve.kept, curve.errors_kept
    (array([0.5, 0.6, 0.9]), array([1.  , 0.75, 0.5 ]), array([1. , 0.5, 0. ]))
    """
    check_same_length(confidence=confidence, right=right)
    check_finite("confidence", confidence)
    order = np.argsort(confidence, kind="stable")
    values = confidence[order].astype(np.float64)
    starts = np.flatnonzero(np.diff(values, prepend=-np.inf) > 0)  # first row of each run of equals
    wrong_before = np.concatenate([[0], np.cumsum(~right[order])])
    return RejectCurve(
        threshold=values[starts],
        answers=(len(values) - starts).astype(np.int64),
        errors=(wrong_before[-1] - wrong_before[starts]).astype(np.int64),
    )


def area_under_risk(confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> float:
    """Area under the risk–coverage curve (AURC): mean share of errors among the i surest answers, i = 1 … n.

    El-Yaniv and Wiener 2010; Geifman et al. 2019 (arXiv 1805.08206). 0 is perfect; sorting at random gives
    the error rate. Equal confidences have no order: the mean over all their orders is taken. No row: nan.

    >>> area_under_risk(np.array([0.9, 0.8, 0.7]), np.array([True, True, False])).__round__(4)
    0.1111
    >>> area_under_risk(np.array([0.9, 0.9]), np.array([True, False]))  # (0 + 1/2 + 1 + 1/2) / 4
    0.5
    """
    n = len(confidence)
    if n == 0:
        return float("nan")
    curve = reject_curve(confidence, right)
    # Between two thresholds the expected number of errors grows by equal steps.
    expected = np.interp(np.arange(1, n + 1), [0, *curve.answers[::-1]], [0, *curve.errors[::-1]])
    return float(np.mean(expected / np.arange(1, n + 1)))


def best_area_under_risk(n: int, errors: int) -> float:
    """The least AURC that is possible with that many errors: every error less sure than every right answer.

    >>> round(best_area_under_risk(3, 1), 4)
    0.1111
    """
    if n == 0:
        return float("nan")
    rank = np.arange(1, n + 1)
    return float(np.mean(np.maximum(rank - (n - errors), 0) / rank))


def thin(curve: RejectCurve, most: int = 400) -> RejectCurve:
    """Keep at most `most` rows, evenly over the answers kept; the first and the last stay.

    >>> whole = reject_curve(np.linspace(0, 1, 1000), np.ones(1000, bool))
    >>> len(thin(whole, 5).threshold), thin(whole, 5).answers
    (5, array([1000,  750,  500,  250,    1]))
    """
    if len(curve.threshold) <= most:
        return curve
    wanted = np.linspace(curve.answers[0], curve.answers[-1], most)
    rows = np.unique(np.searchsorted(-curve.answers, -wanted))
    return RejectCurve(curve.threshold[rows], curve.answers[rows], curve.errors[rows])
