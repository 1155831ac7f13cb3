"""The rules of a threshold: against trying every threshold, and by simulation of what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okulo.core.errors import BadInput
from okulo.evaluate.rules import (
    best_trade,
    error_rate_at_most,
    error_rate_surely_at_most,
    refuse_share,
    threshold_at,
)
from okulo.metrics.reject import reject_curve

ROWS = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=40)


def columns(rows):
    return np.array([(c + 1) / 11 for c, _ in rows], np.float32), np.array([r for _, r in rows])


@given(ROWS)
def test_the_best_trade_beats_every_other_threshold(rows):
    confidence, right = columns(rows)
    curve = reject_curve(confidence, right)
    if right.all():
        with pytest.raises(BadInput, match="no error to avoid"):
            best_trade(curve)
        return

    def gain(threshold):
        refused = confidence < threshold
        return (refused & ~right).sum() / (~right).sum() - refused.mean()

    chosen = threshold_at(curve, best_trade(curve))
    assert gain(chosen) == pytest.approx(max(gain(t) for t in np.linspace(0, 1, 23)), abs=1e-9)


@given(ROWS, st.floats(0.01, 0.6))
def test_the_error_rate_rule_keeps_the_most_answers_that_meet_the_target(rows, target):
    confidence, right = columns(rows)
    curve = reject_curve(confidence, right)
    fits = [t for t in np.linspace(0, 1, 23) if (k := confidence >= t).any() and (~right[k]).mean() <= target]
    if not fits:
        with pytest.raises(BadInput, match="cannot be reached on this data; the lowest error rate is"):
            error_rate_at_most(curve, target)
        return
    chosen = threshold_at(curve, error_rate_at_most(curve, target))
    assert (confidence >= chosen).sum() == max((confidence >= t).sum() for t in fits)


@given(ROWS, st.floats(0.01, 0.99))
def test_the_refused_share_is_the_nearest_there_is(rows, target):
    confidence, right = columns(rows)
    curve = reject_curve(confidence, right)
    refused = float((confidence < threshold_at(curve, refuse_share(curve, target))).mean())
    possible = [float((confidence < t).mean()) for t in confidence]
    assert abs(refused - target) == pytest.approx(min(abs(p - target) for p in possible))


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30))
def test_a_threshold_keeps_exactly_its_row_also_in_single_precision(values):
    confidence = np.array(values, np.float32)
    curve = reject_curve(confidence, np.ones(len(confidence), bool))
    for row in range(len(curve.threshold)):
        value = threshold_at(curve, row)
        assert 0 <= value <= 1
        assert (confidence >= value).sum() == curve.answers[row]
        assert (confidence.astype(np.float64) >= value).sum() == curve.answers[row]


def draw(n, rng):
    """Answers of a calibrated model: one of confidence c is right with probability c."""
    confidence = rng.beta(5, 1, n).astype(np.float32)
    return confidence, rng.random(n) < confidence


def test_the_sure_rule_keeps_its_promise_on_new_data_and_the_plain_one_does_not():
    rng = np.random.default_rng(0)
    new_confidence, new_right = draw(400_000, rng)
    new = reject_curve(new_confidence, new_right)
    broken = {"plain": 0, "sure": 0}
    for _ in range(200):
        curve = reject_curve(*draw(1500, rng))
        for name, row in (
            ("plain", error_rate_at_most(curve, 0.08)),
            ("sure", error_rate_surely_at_most(curve, 0.08, 0.95)),
        ):
            answers, errors = new.at(threshold_at(curve, row))
            broken[name] += errors / answers > 0.08
    assert broken["sure"] <= 10  # 5 % of 200
    assert broken["plain"] >= 60


def test_what_cannot_be_promised_is_said():
    curve = reject_curve(np.linspace(0, 1, 20), np.ones(20, bool))
    with pytest.raises(BadInput, match=r"1\.0% wrong cannot be promised, 95\.0% certain, from 20 items"):
        error_rate_surely_at_most(curve, 0.01, 0.95)


def test_under_domain_shift_the_old_threshold_refuses_far_too_much_and_the_share_rule_mends_it():
    rng = np.random.default_rng(1)

    def answers(signal):
        logits = rng.normal(size=(4000, 5))
        logits[:, 0] += signal
        raised = np.exp(2 * logits)
        return (raised / raised.sum(axis=1, keepdims=True)).max(axis=1).astype(np.float32)

    home, away = answers(4.0), answers(2.0)  # the same model where pictures say half as much
    curve = reject_curve(home, np.ones(len(home), bool))
    chosen = threshold_at(curve, refuse_share(curve, 0.2))
    assert np.mean(home < chosen) == pytest.approx(0.2, abs=0.001)
    assert np.mean(away < chosen) > 0.5
    there = reject_curve(away, np.ones(len(away), bool))
    assert np.mean(away < threshold_at(there, refuse_share(there, 0.2))) == pytest.approx(0.2, abs=0.001)
