"""How many labels are wrong, how surely each is, and what looking further down the queue will bring.

Only a person can say how many labels are wrong; before the first verdict this is what the scores allow:

- *Evident*: what a wrong label scores is known without planting any, since out-of-fold probabilities do not
  depend on an item's own label: its score under another label is read off. The share of wrong labels is at
  most what fits of that distribution under the observed one (mixture proportion estimation, Blanchard, Lee
  and Scott 2010, here on the one score). Wrong labels near the boundary of two classes hide from it.
- *Counted*: the off-diagonal of the confident joint (Northcutt et al. 2021, section 3.1). Where the model is
  weak, it counts what the model does not know as wrong.

The estimate is the middle of the two. Its interval goes from the evident share to all items whose label is
not the most probable class. Verdicts replace guessing (`calibrate`).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from okulo.curate.label_issues import best_other, confident_joint, doubt

DRAWS = 20_000
"""So many known-wrong labels of each kind are scored."""
LEFT_TO_CHANCE = 0.7
"""Part of the evident share that is held for sure; the rest may be right labels that score as badly."""
EVIDENT = np.linspace(0.2, 0.95, 31)
"""Shares of the known-wrong, the most evident first, at which the two distributions are compared."""


@dataclass(frozen=True)
class Estimate:
    """How many of the labels are wrong."""

    items: int
    wrong: float
    low: float
    high: float

    def per_cent(self) -> tuple[float, float, float]:
        """Estimate, lower and upper end, in per cent of the items."""
        each = 100 / max(1, self.items)
        return self.wrong * each, self.low * each, self.high * each


def estimate_wrong(
    probabilities: Float32[np.ndarray, "n k"],
    given: Int64[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
) -> tuple[Estimate, Float32[np.ndarray, " n"]]:
    """Estimate the number of wrong labels, and how surely each is wrong (never falling with doubt)."""
    n = len(given)
    scores = doubt(probabilities, given)
    confused, near = known_wrong(probabilities, given, rng=rng)
    evident, at = _share(scores, confused)
    joint = confident_joint(probabilities, given)
    counted = max(0.0, float(joint.sum() - np.trace(joint)))
    share = (evident + max(evident, counted)) / 2
    held = max(float((confused >= at).mean()), 1e-9)
    low = min(evident, _interval(int((scores >= at).sum()), n)[0] / held) * LEFT_TO_CHANCE
    high = max(share, _interval(int((scores > 0).sum()), n)[1])
    severity = _severity(scores, np.concatenate([confused, near]), share)
    return Estimate(n, share * n, low * n, high * n), severity


def known_wrong(
    probabilities: Float32[np.ndarray, "n k"], given: Int64[np.ndarray, " n"], *, rng: np.random.Generator
) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """Doubts of labels that are wrong by construction: classes confused as they seem to be, and near ones.

    The first draws items by class and gives them the labels the confident joint says their class is given by
    mistake; the second draws items near a boundary and gives them the class beyond it.
    """
    n, k = probabilities.shape
    off = (confident_joint(probabilities, given) + 1e-9) * (1 - np.eye(k))
    seen = np.bincount(given, minlength=k)
    odds = off.sum(axis=0)[given] / seen[given]
    drawn = rng.choice(n, DRAWS, p=odds / odds.sum())
    steps = (off / off.sum(axis=0, keepdims=True)).cumsum(axis=0)[:, given[drawn]]  # column: the true class
    other = (rng.random(DRAWS) > steps).sum(axis=0).clip(0, k - 1)
    confused = doubt(probabilities[drawn], other)

    beyond = best_other(probabilities, given)
    odds = probabilities[np.arange(n), beyond].astype(np.float64) + 1e-9
    odds[doubt(probabilities, given) > 0] = 1e-9  # these may be wrong already
    drawn = rng.choice(n, DRAWS, p=odds / odds.sum())
    return confused, doubt(probabilities[drawn], beyond[drawn])


def _share(scores: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """The largest share of `wrong` that fits under `scores`, and the score at which it touches."""
    bounds = np.quantile(wrong, 1 - EVIDENT)
    observed = np.array([(scores >= bound).mean() for bound in bounds])
    held = np.array([(wrong >= bound).mean() for bound in bounds])
    ratio = observed / held
    best = int(ratio.argmin())
    return float(min(1.0, ratio[best])), float(bounds[best])


def _interval(hits: int, total: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a share (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, total - hits + 1, tail))
    high = 1.0 if hits == total else float(betaincinv(hits + 1, total - hits, 1 - tail))
    return low, high


def _severity(scores: np.ndarray, wrong: np.ndarray, share: float) -> Float32[np.ndarray, " n"]:
    """P(wrong | score) = share × density of the known-wrong over density of all, rising with the score."""
    from sklearn.isotonic import IsotonicRegression

    both = np.concatenate([wrong, scores])
    is_wrong = np.concatenate([np.ones(len(wrong)), np.zeros(len(scores))])
    weight = np.concatenate([np.full(len(wrong), len(scores) / len(wrong)), np.ones(len(scores))])
    mixed = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(both, is_wrong, weight)
    odds = mixed.predict(scores)
    ratio = odds / np.maximum(1 - odds, 1e-9)
    return np.asarray(np.clip(share * ratio, 0, 1), np.float32)


def calibrate(
    severity: Float32[np.ndarray, " n"],
    order: Int64[np.ndarray, " n"],
    reviewed: Int64[np.ndarray, " r"],
    was_wrong: Bool[np.ndarray, " r"],
    *,
    before: Estimate | None = None,
) -> tuple[Estimate, Float32[np.ndarray, " n"]]:
    """Fit severities to verdicts, and estimate from them how many labels were wrong in all.

    The queue (`order`: rows, first to look at first) is cut into steps that double in length. In each, the
    share of wrong ones among those looked at, with its exact interval, stands for the others. Where nobody
    looked, the share is between none and the upper end of any step before: the queue falls. So the interval
    narrows as people go deeper, or look at a random sample of the rest. It never ends above the estimate
    `before` any verdict did, unless more were found.

    >>> severity, order = np.linspace(1, 0, 400, dtype=np.float32), np.arange(400)
    >>> estimate, _ = calibrate(severity, order, np.arange(200), np.arange(200) < 30)
    >>> round(estimate.wrong), round(estimate.low), round(estimate.high)
    (30, 30, 37)
    """
    n = len(severity)
    state = np.full(n, -1, np.int64)
    state[reviewed] = was_wrong
    fitted = severity.astype(np.float64)
    total, low, high = 0.0, 0.0, 0.0
    most, likely, mend = 1.0, 1.0, 1.0
    for start, end in _steps(n):
        rows = order[start:end]
        open_ = rows[state[rows] < 0]
        seen, hits = len(rows) - len(open_), int((state[rows] == 1).sum())
        said = float(fitted[rows].mean())
        expected = min(said * mend, likely)
        bounds, share = (0.0, 1.0), expected
        if seen:
            bounds = _interval(hits, seen)
            share = likely = min((hits + expected) / (seen + 1), likely)  # the severity counts as one verdict
            mend = share / max(said, 1e-9)
        most = min(most, bounds[1])
        total += hits + share * len(open_)
        low += hits + min(bounds[0], most) * len(open_)
        high += hits + most * len(open_)
        if len(open_):
            fitted[open_] = np.clip(fitted[open_] * (share / max(said, 1e-9)), 0, 1)
    fitted[reviewed] = was_wrong
    if before is not None:
        high = min(high, before.high)
    return Estimate(n, total, min(low, total), max(high, total)), fitted.astype(np.float32)


def _steps(n: int, first: int = 50) -> list[tuple[int, int]]:
    """Cuts of a queue: 0 to 50, to 100, to 200, to 400, …

    >>> _steps(250)
    [(0, 50), (50, 100), (100, 200), (200, 250)]
    """
    ends = [0, first]
    while ends[-1] < n:
        ends.append(2 * ends[-1])
    return [(a, min(b, n)) for a, b in pairwise(ends) if a < n]


def expected_yield(
    severity: Float32[np.ndarray, " n"], wrong: float, depths: tuple[int, ...] = (100, 300, 1000, 3000)
) -> list[tuple[int, float, float]]:
    """For every depth of the queue: how many wrong labels it should hold, and which share of all that is.

    >>> expected_yield(np.float32([0.9, 0.8, 0.1, 0.0]), 2.0, depths=(1, 2, 100))
    [(1, 0.9, 0.45), (2, 1.7, 0.85), (4, 1.8, 0.9)]
    """
    queue = np.sort(severity)[::-1].astype(np.float64).cumsum()
    shown = sorted({min(depth, len(severity)) for depth in depths})
    return [
        (
            depth,
            round(float(queue[depth - 1]), 1),
            round(float(min(1.0, queue[depth - 1] / max(wrong, 1e-9))), 2),
        )
        for depth in shown
        if depth
    ]
