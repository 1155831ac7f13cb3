"""Calibration: against torchmetrics, a naive loop, and a simulator whose calibration is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.outside import needs

from okulo.core.errors import BadInput
from okulo.metrics.calibration import (
    calibration_error,
    reliability,
    reliability_equal_mass,
    worst_calibration_error,
)


def test_agrees_with_torchmetrics():
    torch = needs("torch")
    from torchmetrics.functional.classification import multiclass_calibration_error

    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(5) * 0.4, 2000)
    truth = rng.integers(0, 5, 2000)
    table = reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth, bins=15)
    for norm, ours in (("l1", calibration_error), ("max", worst_calibration_error)):
        theirs = multiclass_calibration_error(
            torch.tensor(probabilities), torch.tensor(truth), num_classes=5, n_bins=15, norm=norm
        )
        assert ours(table) == pytest.approx(float(theirs), abs=1e-6)


def test_a_calibrated_answerer_has_no_error_and_an_overconfident_one_has_its_own():
    rng = np.random.default_rng(1)
    chance = rng.uniform(0.5, 1, 200_000)
    right = rng.random(len(chance)) < chance
    honest = reliability(chance, right)
    assert calibration_error(honest) < 0.006
    boaster = reliability(
        np.minimum(chance + 0.1, 1), rng.random(len(chance)) < np.minimum(chance + 0.1, 1) - 0.1
    )
    assert calibration_error(boaster) == pytest.approx(0.1, abs=0.005)
    equal_mass = reliability_equal_mass(chance, right)
    assert calibration_error(equal_mass) < 0.006
    assert np.ptp(equal_mass.count) <= 1


def test_bins_are_closed_below_and_the_last_holds_one():
    table = reliability(np.array([0.0, 0.5, 1.0]), np.array([False, True, True]), bins=2)
    assert table.count.tolist() == [1, 2]


@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=60), st.integers(1, 20))
def test_both_binnings_hold_every_answer_whatever_the_order(rows, bins):
    confidence = np.array([c / 10 for c, _ in rows])
    right = np.array([r for _, r in rows])
    shuffled = np.random.default_rng(0).permutation(len(rows))
    for table_of in (reliability, reliability_equal_mass):
        table = table_of(confidence, right, bins=bins)
        again = table_of(confidence[shuffled], right[shuffled], bins=bins)
        assert table.count.sum() == len(rows)
        assert np.array_equal(table.count, again.count)
        assert np.allclose(table.accuracy, again.accuracy, equal_nan=True)
        assert 0 <= calibration_error(table) <= worst_calibration_error(table) + 1e-12 <= 1 + 1e-9
        # No binning can hide more than the gap of the means.
        assert calibration_error(table) >= abs(confidence.mean() - right.mean()) - 1e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_agrees_with_a_naive_loop(rows):
    bins, total = 5, 0.0
    edges = np.linspace(0, 1, bins + 1)
    for i in range(bins):
        last = i == bins - 1
        inside = [(c, r) for c, r in rows if edges[i] <= c and (c < edges[i + 1] or last)]
        if inside:
            mean_c = sum(c for c, _ in inside) / len(inside)
            total += abs(mean_c - sum(r for _, r in inside) / len(inside)) * len(inside) / len(rows)
    table = reliability(np.array([c for c, _ in rows]), np.array([r for _, r in rows]), bins=bins)
    assert calibration_error(table) == pytest.approx(total, abs=1e-9)


def test_no_answers_give_nan():
    table = reliability(np.zeros(0), np.zeros(0, bool))
    assert np.isnan(calibration_error(table)) and np.isnan(worst_calibration_error(table))
    assert np.isnan(calibration_error(reliability_equal_mass(np.zeros(0), np.zeros(0, bool))))


def test_a_confidence_over_one_is_refused():
    with pytest.raises(BadInput, match=r"confidence: expected 0 to 1, got 0\.2 to 1\.5"):
        reliability(np.array([0.2, 1.5]), np.array([True, True]))
