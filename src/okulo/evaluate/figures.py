"""All figures of a classifier's answers, from truth and probabilities."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from okulo.core.errors import BadInput
from okulo.metrics.accuracy import rank_of_truth
from okulo.metrics.brier import brier
from okulo.metrics.calibration import (
    Reliability,
    calibration_error,
    reliability,
    reliability_equal_mass,
)
from okulo.metrics.confusion import confusion
from okulo.metrics.intervals import bootstrap, wilson
from okulo.metrics.likelihood import negative_log_likelihood
from okulo.metrics.per_class import PerClass, balanced_accuracy, macro, per_class, weighted
from okulo.metrics.reject import RejectCurve, area_under_risk, best_area_under_risk, reject_curve

RESAMPLED_ROWS = 20_000_000
"""Bounds the bootstrap's work: fewer resamples for more rows, 20 to 200."""


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured on `n` items with a label that the model knows; shares are 0 to 1."""

    n: int
    right: int
    accuracy: Estimate
    """Wilson interval."""
    top5_accuracy: float | None
    """None where there are five classes or fewer."""
    balanced_accuracy: float
    macro_f1: Estimate
    """Bootstrap interval."""
    weighted_f1: float
    brier: float
    negative_log_likelihood: float
    mean_confidence: float
    calibration_error: float
    """ECE, 15 bins of equal width."""
    calibration_error_equal_mass: float
    area_under_risk: float
    best_area_under_risk: float
    """The least that is possible with as many errors."""
    confusion: Int64[np.ndarray, "k k"]
    per_class: PerClass
    reliability: Reliability


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a threshold does on some data; what needs labels is None without them."""

    threshold: float
    items: int
    answers: int
    """How many items are answered."""
    kept: float
    """Share of the items that are answered."""
    all_errors: int | None
    errors: int | None
    """How many errors there are without a threshold, and how many are still given."""
    errors_kept: float | None
    """Share of the errors still given; None without an error."""
    error_rate: float | None
    """Share of errors among the answers; None without an answer."""


def effect(curve: RejectCurve, threshold: float, *, has_labels: bool = True) -> Effect:
    """Say what a threshold does.

    >>> curve = reject_curve(np.array([0.5, 0.9, 0.9, 0.4]), np.array([False, True, False, True]))
    >>> done = effect(curve, 0.6)
    >>> done.kept, done.errors_kept, done.error_rate
    (0.5, 0.5, 0.5)
    """
    answers, errors = curve.at(threshold)
    items, all_errors = int(curve.answers[0]), int(curve.errors[0])
    return Effect(
        threshold=threshold,
        items=items,
        answers=answers,
        kept=answers / items,
        all_errors=all_errors if has_labels else None,
        errors=errors if has_labels else None,
        errors_kept=errors / all_errors if has_labels and all_errors else None,
        error_rate=errors / answers if has_labels and answers else None,
    )


def curve_of(truth: Int64[np.ndarray, " n"], probabilities: Float32[np.ndarray, "n k"]) -> RejectCurve:
    """The reject curve of these answers."""
    return reject_curve(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth)


def measure(
    truth: Int64[np.ndarray, " n"],
    probabilities: Float32[np.ndarray, "n k"],
    rng: np.random.Generator,
) -> Figures:
    """Measure answers; there must be at least one."""
    n, k = probabilities.shape
    if not n:
        raise BadInput("figures", wanted="at least one answer", got="none")
    guess, confidence = probabilities.argmax(axis=1).astype(np.int64), probabilities.max(axis=1)
    good = guess == truth
    counts = confusion(truth, guess, classes=k)
    by_class = per_class(counts)
    right = int(good.sum())
    table = reliability(confidence, good)
    return Figures(
        n=n,
        right=right,
        accuracy=Estimate(right / n, *wilson(right, n)),
        top5_accuracy=float(np.mean(rank_of_truth(truth, probabilities) < 5)) if k > 5 else None,
        balanced_accuracy=balanced_accuracy(counts),
        macro_f1=_macro_f1(truth, guess, k, rng),
        weighted_f1=weighted(by_class.f1, by_class.support),
        brier=brier(truth, probabilities),
        negative_log_likelihood=negative_log_likelihood(truth, probabilities),
        mean_confidence=float(confidence.mean(dtype=np.float64)),
        calibration_error=calibration_error(table),
        calibration_error_equal_mass=calibration_error(reliability_equal_mass(confidence, good)),
        area_under_risk=area_under_risk(confidence, good),
        best_area_under_risk=best_area_under_risk(n, n - right),
        confusion=counts,
        per_class=by_class,
        reliability=table,
    )


def repeats_for(n: int) -> int:
    """How many bootstrap resamples of `n` rows are affordable.

    >>> repeats_for(1000), repeats_for(500_000), repeats_for(10_000_000)
    (200, 40, 20)
    """
    return int(np.clip(RESAMPLED_ROWS // max(n, 1), 20, 200))


def _macro_f1(
    truth: Int64[np.ndarray, " n"], guess: Int64[np.ndarray, " n"], k: int, rng: np.random.Generator
) -> Estimate:
    def one(rows: Int64[np.ndarray, " n"]) -> float:
        got = per_class(confusion(truth[rows], guess[rows], classes=k))
        return macro(got.f1, got.support)

    n = len(truth)
    low, high = bootstrap(one, n, rng=rng, repeats=repeats_for(n))
    return Estimate(one(np.arange(n)), low, high)


def recall_intervals(by_class: PerClass) -> Float64[np.ndarray, "k 2"]:
    """Wilson interval of every class's recall; (0, 1) for a class that does not occur.

    >>> from okulo.metrics.per_class import per_class
    >>> recall_intervals(per_class(np.array([[9, 1], [0, 0]]))).round(3)
    array([[0.596, 0.982],
           [0.   , 1.   ]])
    """
    hits = np.nan_to_num(by_class.recall * by_class.support).round().astype(int)
    return np.array([wilson(int(h), int(n)) for h, n in zip(hits, by_class.support)])
