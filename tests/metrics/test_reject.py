"""The reject curve: against a naive loop over thresholds and, for ties, over all orders."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okulo.core.errors import BadInput
from okulo.metrics.reject import area_under_risk, best_area_under_risk, reject_curve

ROWS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40)


def columns(rows):
    return np.array([c / 8 for c, _ in rows], np.float32), np.array([r for _, r in rows])


@given(ROWS)
def test_agrees_with_counting_at_every_threshold(rows):
    confidence, right = columns(rows)
    curve = reject_curve(confidence, right)
    assert curve.threshold.tolist() == sorted(set(confidence.tolist()))
    for i, threshold in enumerate(curve.threshold):
        kept = confidence >= threshold
        assert curve.answers[i] == kept.sum()
        assert curve.errors[i] == (kept & ~right).sum()
    for threshold in np.linspace(-0.1, 1.1, 13):
        kept = confidence >= threshold
        assert curve.at(float(threshold)) == (int(kept.sum()), int((kept & ~right).sum()))


@given(ROWS)
def test_order_of_rows_does_not_matter_and_shares_only_fall(rows):
    confidence, right = columns(rows)
    order = np.random.default_rng(0).permutation(len(rows))
    curve, again = reject_curve(confidence, right), reject_curve(confidence[order], right[order])
    assert np.array_equal(curve.errors, again.errors)
    assert (np.diff(curve.kept) < 0).all()
    assert curve.kept[0] == 1
    if curve.has:
        assert curve.errors_kept[0] == 1 and (np.diff(curve.errors_kept) <= 0).all()
    else:
        assert np.isnan(curve.errors_kept).all()
    assert area_under_risk(confidence, right) == pytest.approx(
        area_under_risk(confidence[order], right[order])
    )


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_area_is_the_mean_over_all_orders_of_ties(rows):
    areas = []
    for order in permutations(rows):
        if any(a[0] < b[0] for a, b in pairwise(order)):
            continue
        wrong = np.cumsum([not right for _, right in order])
        areas.append(np.mean(wrong / np.arange(1, len(rows) + 1)))
    assert area_under_risk(*columns(rows)) == pytest.approx(np.mean(areas))


@given(ROWS)
def test_area_is_bounded_by_the_best_possible(rows):
    confidence, right = columns(rows)
    assert area_under_risk(confidence, right) >= best_area_under_risk(len(rows), int((~right).sum())) - 1e-12


def test_the_best_area_is_reached_when_every_error_is_less_sure():
    right = np.arange(20) >= 5
    assert area_under_risk(np.linspace(0, 1, 20), right) == pytest.approx(best_area_under_risk(20, 5))


def test_a_useless_confidence_gives_the_error_rate():
    rng = np.random.default_rng(0)
    right = rng.random(20_000) < 0.9
    assert area_under_risk(rng.random(20_000), right) == pytest.approx(0.1, abs=0.01)
    assert area_under_risk(np.ones(20_000), right) == pytest.approx(np.mean(~right))


def test_no_answers():
    curve = reject_curve(np.zeros(0), np.zeros(0, bool))
    assert len(curve.threshold) == 0 and not curve.has and curve.at(0.5) == (0, 0)
    assert len(curve.kept) == len(curve.errors_kept) == len(curve.risk) == 0
    assert np.isnan(area_under_risk(np.zeros(0), np.zeros(0, bool))) and np.isnan(best_area_under_risk(0, 0))


def test_nan_is_refused():
    with pytest.raises(BadInput, match="confidence: expected finite numbers, got nan in row 1"):
        reject_curve(np.array([0.5, np.nan]), np.array([True, True]))
