"""Multi-label figures: against scikit-learn, class by class over what is known."""

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st

from okulo.metrics.multilabel import (
    average_precision,
    mean_average_precision,
    multilabel_f1,
    multilabel_micro_f1,
)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_agrees_with_sklearn_over_the_known_cells(seed, coarse):
    rng = np.random.default_rng(seed)
    truth = rng.random((40, 4)) < 0.3
    score = rng.integers(0, 4, (40, 4)) / 4 if coarse else rng.random((40, 4))
    known = rng.random((40, 4)) < 0.7
    got, f1 = average_precision(truth, score, known), multilabel_f1(truth, score > 0.5, known)
    for j in range(4):
        rows = known[:, j]
        if not truth[rows, j].any():
            assert np.isnan(got[j])
        else:
            assert got[j] == pytest.approx(sk.average_precision_score(truth[rows, j], score[rows, j]))
            assert f1[j] == pytest.approx(sk.f1_score(truth[rows, j], score[rows, j] > 0.5, zero_division=0))
    micro = sk.f1_score(truth[known], (score > 0.5)[known], zero_division=0)
    if truth[known].any():
        assert multilabel_micro_f1(truth, score > 0.5, known) == pytest.approx(micro)


def test_what_is_unknown_changes_nothing():
    rng = np.random.default_rng(0)
    truth, score, known = rng.random((30, 3)) < 0.4, rng.random((30, 3)), rng.random((30, 3)) < 0.6
    other_truth = np.where(known, truth, ~truth)
    other_score = np.where(known, score, np.nan)  # it may even be missing
    assert np.array_equal(
        average_precision(truth, score, known), average_precision(other_truth, other_score, known)
    )
    assert np.array_equal(
        multilabel_f1(truth, score > 0.5, known), multilabel_f1(other_truth, score > 0.5, known)
    )


def test_everything_known_is_the_default_and_nothing_known_is_nan():
    truth, score = np.array([[True], [False]]), np.array([[0.9], [0.1]])
    assert average_precision(truth, score).tolist() == [1.0]
    nothing = np.zeros((2, 1), bool)
    assert np.isnan(mean_average_precision(truth, score, nothing))
    assert np.isnan(multilabel_micro_f1(truth, truth, nothing))
