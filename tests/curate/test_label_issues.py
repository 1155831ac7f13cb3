import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okulo.curate.label_issues import best_other, class_thresholds, confident_joint, doubt


def naive_joint(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Equations 1 to 3 of Northcutt et al. 2021, one item at a time."""
    n, k = p.shape
    bar = [
        np.mean([p[i, j] for i in range(n) if labels[i] == j]) if j in labels else np.inf for j in range(k)
    ]
    counts = np.zeros((k, k))
    for i in range(n):
        reach = [j for j in range(k) if p[i, j] >= bar[j] - 1e-6]
        if reach:
            counts[labels[i], max(reach, key=lambda j: p[i, j])] += 1
    for j in range(k):
        seen = np.sum(labels == j)
        if counts[j].sum() == 0:
            counts[j, j] = 1
        counts[j] *= seen / counts[j].sum()
    return counts / n


@given(seed=st.integers(0, 10_000), n=st.integers(2, 60), k=st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_the_joint_is_that_of_the_paper(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.3), n)
    labels = rng.integers(0, k, n)
    joint = confident_joint(p, labels)
    np.testing.assert_allclose(joint, naive_joint(p, labels), atol=1e-12)
    np.testing.assert_allclose(joint.sum(axis=1), np.bincount(labels, minlength=k) / n, atol=1e-12)


def test_known_noise_is_read_off_a_sure_model() -> None:
    """With 0.9 on the true class the joint is exactly how often which label was given by mistake."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 3000)
    given_ = np.where(rng.random(3000) < 0.1, (truth + 1) % 3, truth)
    p = np.full((3000, 3), 0.05)
    p[np.arange(3000), truth] = 0.9
    counted = np.zeros((3, 3))
    np.add.at(counted, (given_, truth), 1 / 3000)
    np.testing.assert_allclose(confident_joint(p, given_), counted, atol=1e-12)


def test_a_class_nobody_was_given_is_never_counted() -> None:
    p = np.array([[0.2, 0.1, 0.7], [0.1, 0.2, 0.7]])
    assert class_thresholds(p, np.array([0, 1]))[2] == np.inf
    assert confident_joint(p, np.array([0, 1]))[:, 2].sum() == 0


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_doubt_rises_as_the_label_loses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(4), 30)
    labels = rng.integers(0, 4, 30)
    scores = doubt(p, labels)
    other = best_other(p, labels)
    assert (other != labels).all()
    assert ((scores > 0) == (p[np.arange(30), other] > p[np.arange(30), labels])).all()
    order = rng.permutation(4)  # names of classes do not matter
    moved = np.empty_like(p)
    moved[:, order] = p
    np.testing.assert_allclose(doubt(moved, order[labels]), scores)


def test_equal_probabilities_raise_no_doubt() -> None:
    assert doubt(np.array([[0.5, 0.5]]), np.array([0])) == pytest.approx(0)
