"""How a threshold is chosen from a reject curve; each rule gives a row of the curve."""

import numpy as np

from okulo.core.errors import BadInput
from okulo.metrics.intervals import upper_bound
from okulo.metrics.reject import RejectCurve


def best_trade(curve: RejectCurve) -> int:
    """Row with the largest (share of errors removed − share of answers given up), the most answers first.

    This is Youden's J (1950) of "refuse" as a test for errors, times the accuracy: past it, the next answers
    given up hold fewer errors than the average answer does. Needs at least one error.

    >>> from okulo.metrics.reject import reject_curve
    >>> right = np.array([False, True, False, True, True, True, True, True])
    >>> curve = reject_curve(np.linspace(0.3, 1.0, 8), right)
    >>> row = best_trade(curve)
    >>> curve.threshold[row].round(2), curve.kept[row], curve.errors_kept[row]
    (np.float64(0.6), np.float64(0.625), np.float64(0.0))
    """
    if not curve.has:
        raise BadInput(
            "rule trade",
            "there is no error to avoid on this data",
            hint="measure on more items, or choose by --rule refuse --target 0.1",
        )
    return int(np.argmax(curve.kept - curve.errors_kept))


def error_rate_at_most(curve: RejectCurve, target: float) -> int:
    """Row of the smallest threshold with a share of errors ≤ `target` among the answers kept.

    >>> from okulo.metrics.reject import reject_curve
    >>> curve = reject_curve(np.array([0.5, 0.6, 0.7, 0.8]), np.array([False, True, True, True]))
    >>> error_rate_at_most(curve, 0.25), error_rate_at_most(curve, 0.1)
    (0, 1)
    """
    fits = np.flatnonzero(curve.risk <= target)
    if not len(fits):
        raise _unreachable(curve, target)
    return int(fits[0])


def error_rate_surely_at_most(curve: RejectCurve, target: float, sure: float) -> int:
    """As `error_rate_at_most`, but with probability `sure` the true share of errors is ≤ `target` too.

    Selection with guaranteed risk of Geifman and El-Yaniv 2017 (arXiv 1705.08500, algorithm 1): a binary
    search over the thresholds, each of its steps held to the exact binomial upper bound at level
    1 − (1 − sure)/steps. It holds for new data drawn as this data was, and costs answers when items are few.

    >>> from okulo.metrics.reject import reject_curve
    >>> right = np.arange(1000) >= 30
    >>> curve = reject_curve(np.linspace(0, 1, 1000), right)
    >>> error_rate_at_most(curve, 0.02), error_rate_surely_at_most(curve, 0.02, 0.95)
    (11, 22)
    """
    low, high, best = 0, len(curve.threshold) - 1, -1
    steps = max(1, int(np.ceil(np.log2(len(curve.threshold) + 1))))
    level = 1 - (1 - sure) / steps
    while low <= high:
        row = (low + high) // 2
        if upper_bound(int(curve.errors[row]), int(curve.answers[row]), level=level) <= target:
            best, high = row, row - 1
        else:
            low = row + 1
    if best < 0:
        raise BadInput(
            "rule error-rate",
            f"{target:.1%} wrong cannot be promised, {sure:.1%} certain, from {curve.answers[0]:,} items",
            hint="take more labelled items, a higher --target, or leave out --sure",
        )
    return best


def _unreachable(curve: RejectCurve, target: float) -> BadInput:
    least = int(np.argmin(curve.risk))
    return BadInput(
        "rule error-rate",
        f"{target:.1%} wrong cannot be reached on this data",
        hint=f"the lowest error rate is {curve.risk[least]:.1%}, at threshold {curve.threshold[least]:.3g}, "
        f"which keeps {curve.kept[least]:.1%} of the answers",
    )


def refuse_share(curve: RejectCurve, target: float) -> int:
    """Row whose share of refused answers is nearest to `target`; of two as near, the one that refuses less.

    Needs no labels: only how many answers each threshold keeps is used.

    >>> from okulo.metrics.reject import reject_curve
    >>> curve = reject_curve(np.linspace(0.1, 1.0, 10), np.ones(10, bool))
    >>> refuse_share(curve, 0.2), float(curve.kept[2])
    (2, 0.8)
    """
    return int(np.argmin(np.abs((1 - curve.kept) - target).round(12)))


def threshold_at(curve: RejectCurve, row: int) -> float:
    """The shortest decimal that keeps exactly what this row keeps; 0 for the first, which keeps all.

    It lies between two confidences, so that tiny differences between engines do not move answers across it.

    >>> from okulo.metrics.reject import reject_curve
    >>> threshold_at(reject_curve(np.float32([0.52, 0.5512, 0.558]), np.ones(3, bool)), 2)
    0.555
    """
    if row == 0:
        return 0.0
    below, at = float(curve.threshold[row - 1]), float(curve.threshold[row])
    for digits in range(2, 10):
        value = round((below + at) / 2, digits)
        # Also when compared as float32, the type of the confidences.
        if below < value <= at and np.float32(below) < np.float32(value) <= np.float32(at):
            return value
    return at
