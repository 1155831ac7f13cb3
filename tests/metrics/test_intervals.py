"""Intervals: against statsmodels' and SciPy's numbers, and by how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from okulo.metrics.intervals import bootstrap, upper_bound, wilson


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_agrees_with_scipy(total, share, level):
    hits = round(total * share)
    theirs = binomtest(hits, total).proportion_ci(level, method="wilson")
    assert np.allclose(wilson(hits, total, level=level), (theirs.low, theirs.high), atol=1e-9)
    exact = binomtest(hits, total, alternative="less").proportion_ci(level, method="exact")
    assert upper_bound(hits, total, level=level) == pytest.approx(exact.high, abs=1e-9)


def test_no_row_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0) and upper_bound(0, 0) == 1.0


def test_wilson_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for share in (0.5, 0.9, 0.98):
        held = [
            low <= share <= high
            for low, high in (wilson(int(h), 200) for h in rng.binomial(200, share, 4000))
        ]
        assert 0.93 <= np.mean(held) <= 0.975


def test_bootstrap_agrees_with_wilson_on_a_share():
    right = np.arange(1000) < 900
    got = bootstrap(lambda rows: float(right[rows].mean()), 1000, rng=np.random.default_rng(0), repeats=2000)
    assert np.allclose(got, wilson(900, 1000), atol=0.004)


def test_bootstrap_leaves_out_what_is_undefined():
    assert np.isnan(bootstrap(lambda rows: float("nan"), 5, rng=np.random.default_rng(0), repeats=3)).all()
    assert np.isnan(bootstrap(lambda rows: 1.0, 0, rng=np.random.default_rng(0))).all()
