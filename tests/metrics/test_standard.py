"""Accuracy, per-class figures, Brier, likelihood: against scikit-learn, torchmetrics and naive loops."""

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st

from okulo.core.errors import BadInput
from okulo.metrics.accuracy import accuracy, rank_of_truth, top_k_accuracy
from okulo.metrics.brier import brier
from okulo.metrics.confusion import confusion
from okulo.metrics.likelihood import negative_log_likelihood
from okulo.metrics.per_class import balanced_accuracy, macro, per_class, weighted

N, K = 500, 7


@pytest.fixture
def some() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, K, N)
    logits = rng.normal(size=(N, K)) + 2 * np.eye(K)[truth]
    raised = np.exp(logits)
    return truth, (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)


def test_confusion_and_accuracy_agree_with_sklearn(some):
    truth, probabilities = some
    guess = probabilities.argmax(axis=1)
    counts = confusion(truth, guess, classes=K)
    assert np.array_equal(counts, sk.confusion_matrix(truth, guess))
    assert accuracy(truth, guess) == sk.accuracy_score(truth, guess)
    assert np.isclose(balanced_accuracy(counts), sk.balanced_accuracy_score(truth, guess))


def test_per_class_and_averages_agree_with_sklearn(some):
    truth, probabilities = some
    guess = probabilities.argmax(axis=1)
    got = per_class(confusion(truth, guess, classes=K))
    wanted = sk.precision_recall_fscore_support(truth, guess)
    for ours, theirs in zip((got.precision, got.recall, got.f1, got.support), wanted):
        assert np.allclose(ours, theirs)
    for average, ours in (("macro", macro), ("weighted", weighted)):
        theirs = sk.precision_recall_fscore_support(truth, guess, average=average)
        assert np.allclose(
            [ours(values, got.support) for values in (got.precision, got.recall, got.f1)], theirs[:3]
        )


def test_top_k_brier_and_likelihood_agree_with_sklearn(some):
    truth, probabilities = some
    for k in (1, 2, 5):
        assert np.isclose(
            top_k_accuracy(truth, probabilities, k=k),
            sk.top_k_accuracy_score(truth, probabilities, k=k),
        )
    assert np.isclose(
        brier(truth, probabilities), sk.brier_score_loss(truth, probabilities, scale_by_half=False), rtol=1e-6
    )
    wide = probabilities.astype(np.float64)
    wide /= wide.sum(axis=1, keepdims=True)
    assert np.isclose(negative_log_likelihood(truth, wide), sk.log_loss(truth, wide))


def test_a_probability_of_zero_does_not_make_the_likelihood_infinite():
    got = negative_log_likelihood(np.array([1]), np.array([[1.0, 0.0]], np.float32))
    assert got == pytest.approx(-np.log(1e-7))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_confusion_counts_every_pair_once(pairs):
    truth = np.array([t for t, _ in pairs], np.int64)
    guess = np.array([g for _, g in pairs], np.int64)
    naive = np.zeros((4, 4), np.int64)
    for t, g in pairs:
        naive[t, g] += 1
    got = confusion(truth, guess, classes=4)
    assert np.array_equal(got, naive)
    figures = per_class(got)
    for values in (figures.precision, figures.recall, figures.f1):
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1)).all()
    assert np.array_equal(np.isnan(figures.recall), figures.support == 0)
    if pairs:
        # Recall weighted by support is accuracy.
        assert np.isclose(weighted(figures.recall, figures.support), accuracy(truth, guess))


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_rank_counts_ties_by_index(k, seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, (8, k)).astype(np.float64)  # many ties
    truth = rng.integers(0, k, 8)
    order = np.argsort(-coarse, axis=1, kind="stable")
    naive = [int(np.flatnonzero(order[i] == truth[i])[0]) for i in range(8)]
    assert rank_of_truth(truth, coarse).tolist() == naive
    assert top_k_accuracy(truth, coarse, k=1) == accuracy(truth, coarse.argmax(axis=1))
    assert top_k_accuracy(truth, coarse, k=k) == 1


def test_no_rows_give_nan_and_no_warning():
    nobody, nothing = np.zeros(0, np.int64), np.zeros((0, 3), np.float32)
    counts = confusion(nobody, nobody, classes=3)
    assert counts.sum() == 0
    values = [
        accuracy(nobody, nobody),
        top_k_accuracy(nobody, nothing, k=1),
        brier(nobody, nothing),
        negative_log_likelihood(nobody, nothing),
        balanced_accuracy(counts),
        weighted(per_class(counts).f1, per_class(counts).support),
    ]
    assert np.isnan(values).all()


def test_a_class_out_of_range_is_refused():
    with pytest.raises(BadInput, match="guess: expected classes 0 to 2, got 3"):
        confusion(np.array([0]), np.array([3]), classes=3)
    with pytest.raises(BadInput, match="truth: expected classes 0 to 2, got -1"):
        confusion(np.array([-1]), np.array([0]), classes=3)
