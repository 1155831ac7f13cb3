"""Retrieval figures against ranx (its answers are in ranx.json, made by make_ranx.py), and by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okulo.core.errors import BadInput
from okulo.metrics import retrieval

CASES = json.loads(Path(__file__).with_name("ranx.json").read_text())


def ranked(case: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gains by place, gains in the best order, and the count of relevant items."""
    gains, ideal, relevant = [], [], []
    for query in sorted(case["qrels"]):
        truth, scores = case["qrels"][query], case["run"][query]
        order = sorted(scores, key=lambda d: -scores[d])
        gains.append([float(truth.get(d, 0)) for d in order])
        ideal.append(sorted(map(float, truth.values()), reverse=True) + [0.0] * (40 - len(truth)))
        relevant.append(len(truth))
    return np.array(gains), np.array(ideal), np.array(relevant)


@pytest.mark.parametrize("case", CASES, ids=["plain", "graded"])
def test_the_figures_are_those_of_ranx(case: dict) -> None:
    gains, ideal, relevant = ranked(case)
    hits = gains > 0
    ours = {
        "map": retrieval.average_precision(hits, relevant),
        "r-precision": retrieval.r_precision(hits, relevant),
        "precision@1": retrieval.precision_at(hits, relevant, 1),
        "precision@5": retrieval.precision_at(hits, relevant, 5),
        "recall@5": retrieval.recall_at(hits, relevant, 5),
        "recall@10": retrieval.recall_at(hits, relevant, 10),
        "ndcg@5": retrieval.ndcg_at(gains, ideal, 5),
        "ndcg@10": retrieval.ndcg_at(gains, ideal, 10),
    }
    for name, values in ours.items():
        np.testing.assert_allclose(values, case["said"][name], atol=1e-12, err_msg=name)


def test_a_query_without_relevant_items_is_left_out() -> None:
    hits, relevant = np.array([[True, False], [False, False]]), np.array([1, 0])
    said = retrieval.measure(hits, relevant, [1, 2], rng=np.random.default_rng(0))
    assert np.isnan(retrieval.average_precision(hits, relevant)[1])
    assert said["mAP"] == retrieval.Figure(1.0, 1.0, 1.0)


def test_no_query_gives_nan() -> None:
    said = retrieval.measure(np.zeros((0, 3), bool), np.zeros(0, np.int64), [1], rng=np.random.default_rng(0))
    assert np.isnan(said["mAP"].value)


def test_more_hits_than_relevant_items_is_refused() -> None:
    with pytest.raises(BadInput, match="query 0 found more relevant items"):
        retrieval.r_precision(np.array([[True, True]]), np.array([1]))
    with pytest.raises(BadInput, match="k: expected 1 or more, got 0"):
        retrieval.precision_at(np.array([[True]]), np.array([1]), 0)


@given(st.integers(0, 2**32 - 1))
def test_bounds_and_the_perfect_ranking(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hits = rng.random((5, 12)) < 0.3
    relevant = hits.sum(axis=1) + rng.integers(0, 3, 5)
    for values in (retrieval.average_precision(hits, relevant), retrieval.r_precision(hits, relevant)):
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1)).all()
    best = np.arange(12) < relevant[:, None]
    some = relevant > 0
    np.testing.assert_allclose(retrieval.average_precision(best, relevant)[some], 1)
    np.testing.assert_allclose(
        retrieval.ndcg_at(best.astype(float), retrieval.ideal_gains(relevant, 12), 12)[some], 1
    )


def test_the_interval_holds_the_mean_of_the_distribution_about_95_times_in_100() -> None:
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        figure = retrieval.summary(rng.beta(2, 2, 80), rng=rng)
        inside += figure.low <= 0.5 <= figure.high
    assert inside >= 88
