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


def test_verdicts_mend_a_severity_that_is_far_off() -> None:
    rng = np.random.default_rng(0)
    n = 3000
    true_odds = rng.normal(-4, 2, n)
    wrong = rng.random(n) < 1 / (1 + np.exp(-true_odds))
    severity = (1 / (1 + np.exp(-(0.5 * true_odds + 2)))).astype(np.float32)  # far too gloomy
    reviewed = np.concatenate([np.argsort(-severity)[:150], rng.choice(n, 100, replace=False)])
    reviewed = np.unique(reviewed)
    estimate, mended = calibrate(severity, reviewed, wrong[reviewed], rng=rng)
    assert severity.sum() > 3 * wrong.sum()
    assert estimate.low <= wrong.sum() <= estimate.high
    assert estimate.wrong == pytest.approx(wrong.sum(), rel=0.3)
    assert (mended[reviewed] == wrong[reviewed]).all()


def test_verdicts_that_are_all_the_same_still_give_an_estimate() -> None:
    severity = np.linspace(0, 1, 100).astype(np.float32)
    none, _ = calibrate(severity, np.arange(90, 100), np.zeros(10, bool), rng=np.random.default_rng(0))
    every, _ = calibrate(severity, np.arange(90, 100), np.ones(10, bool), rng=np.random.default_rng(0))
    assert none.wrong < severity.sum() / 2 < every.wrong
    assert every.low >= 10
