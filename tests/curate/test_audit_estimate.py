import numpy as np
import pytest

from okulo.curate.audit_estimate import calibrate, estimate_wrong, expected_yield


def simulated(
    share: float, sure: float, *, n: int = 4000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of a calibrated model, labels drawn from them, and a share of labels then spoiled."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(5, sure), n)
    truth = (p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(0, 4)
    spoiled = rng.random(n) < share
    given = np.where(spoiled, (truth + rng.integers(1, 5, n)) % 5, truth)
    return p.astype(np.float32), given, spoiled


@pytest.mark.parametrize("share", [0.0, 0.03, 0.15])
@pytest.mark.parametrize("sure", [0.02, 0.1])
def test_the_interval_holds_what_was_spoiled(share: float, sure: float) -> None:
    p, given, spoiled = simulated(share, sure)
    estimate, severity = estimate_wrong(p, given, rng=np.random.default_rng(1))
    assert estimate.low <= spoiled.sum() <= estimate.high
    assert estimate.low <= estimate.wrong <= estimate.high
    assert severity.min() >= 0 and severity.max() <= 1


def test_a_sure_model_counts_well_and_its_yield_comes_true() -> None:
    p, given, spoiled = simulated(0.1, 0.01)
    estimate, severity = estimate_wrong(p, given, rng=np.random.default_rng(1))
    assert estimate.wrong == pytest.approx(spoiled.sum(), rel=0.15)
    order = np.argsort(-severity, kind="stable")
    for depth, wrong, _ in expected_yield(severity, estimate.wrong, depths=(100, 300, 600)):
        assert wrong == pytest.approx(spoiled[order[:depth]].sum(), rel=0.25)


@pytest.mark.parametrize("depth", [60, 300, 1500])
def test_verdicts_mend_a_severity_that_is_far_off(depth: int) -> None:
    rng = np.random.default_rng(0)
    n = 3000
    true_odds = rng.normal(-4, 2, n)
    wrong = rng.random(n) < 1 / (1 + np.exp(-true_odds))
    severity = (1 / (1 + np.exp(-(0.5 * true_odds + 2)))).astype(np.float32)  # far too gloomy
    assert severity.sum() > 3 * wrong.sum()
    order = np.argsort(-severity)
    reviewed = np.unique(np.concatenate([order[:depth], rng.choice(n, 60, replace=False)]))
    estimate, mended = calibrate(severity, order, reviewed, wrong[reviewed])
    assert estimate.low <= wrong.sum() <= estimate.high
    assert (mended[reviewed] == wrong[reviewed]).all()
    if depth == 1500:
        assert estimate.wrong == pytest.approx(wrong.sum(), rel=0.3)


def test_the_interval_closes_when_all_was_looked_at() -> None:
    severity = np.linspace(1, 0, 100).astype(np.float32)
    wrong = np.arange(100) % 7 == 0
    every, mended = calibrate(severity, np.arange(100), np.arange(100), wrong)
    assert (every.wrong, every.low, every.high) == (15, 15, 15)
    assert mended.sum() == 15
    none, _ = calibrate(severity, np.arange(100), np.arange(20), np.zeros(20, bool))
    some, _ = calibrate(severity, np.arange(100), np.arange(20), np.ones(20, bool))
    assert none.low == 0 and none.wrong < severity.sum() / 2 < some.wrong
    assert some.low >= 20 and none.high < 20 and some.high == 100
