"""Losses against torch's and torchvision's, against numbers by hand, and with logits that overflow."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from okulo.nets.losses.bce import binary_cross_entropy
from okulo.nets.losses.brier import brier
from okulo.nets.losses.ce import cross_entropy, log_softmax
from okulo.nets.losses.distill import distill
from okulo.nets.losses.focal import focal
from okulo.nets.losses.targets import balanced_weights, gap_optimum, smooth_targets

ALL = (cross_entropy, binary_cross_entropy, focal, brier)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return 5 * torch.randn(16, 7, generator=rng), torch.randint(0, 7, (16,), generator=rng)


def test_cross_entropy_is_torchs(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    weights = torch.rand(7, generator=torch.Generator().manual_seed(1))
    for given_weights in (None, weights):
        ours = cross_entropy(logits, smooth_targets(labels, 7), given_weights)
        torch.testing.assert_close(
            ours, functional.cross_entropy(logits, labels, given_weights, reduction="none")
        )
    soft = torch.softmax(logits.flip(0), dim=1)
    torch.testing.assert_close(
        cross_entropy(logits, soft), functional.cross_entropy(logits, soft, reduction="none")
    )


def test_smoothing_is_torchs_but_for_the_share_of_the_label(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    k, eps = 7, 0.1
    theirs = functional.cross_entropy(logits, labels, label_smoothing=eps * k / (k - 1), reduction="none")
    torch.testing.assert_close(cross_entropy(logits, smooth_targets(labels, k, eps)), theirs)


def test_binary_cross_entropy_is_torchs(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    targets = smooth_targets(labels, 7, 0.2)
    theirs = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1)
    torch.testing.assert_close(binary_cross_entropy(logits, targets), theirs)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_two_class_focal_is_the_binary_one_of_torchvision(gamma: float) -> None:
    z = torch.linspace(-6, 6, 13)
    two = torch.stack([torch.zeros_like(z), z], dim=1)
    theirs = sigmoid_focal_loss(z, torch.ones_like(z), alpha=-1, gamma=gamma)
    ours = focal(two, smooth_targets(torch.ones(13, dtype=torch.long), 2), gamma=gamma)
    torch.testing.assert_close(ours, theirs)


def test_distill_is_torchs_kl_times_t_squared(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    student, _ = batch
    teacher = student.roll(1, 0)
    soft = functional.log_softmax(teacher / 3, 1)
    theirs = functional.kl_div(
        functional.log_softmax(student / 3, 1), soft, log_target=True, reduction="none"
    )
    torch.testing.assert_close(distill(student, teacher, 3.0), 9 * theirs.sum(1))


def test_brier_by_counting() -> None:
    p = torch.tensor([[0.7, 0.2, 0.1]])
    expected = (0.7 - 0) ** 2 + (0.2 - 1) ** 2 + 0.1**2
    assert brier(p.log(), torch.tensor([[0.0, 1.0, 0.0]])).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("size", [1e3, 1e30])
def test_extreme_logits_give_finite_gradients(loss: object, size: float) -> None:
    logits = torch.tensor([[size, -size, 0.0], [-size, size, 0.0]], requires_grad=True)
    targets = torch.eye(3)[[0, 0]]
    value = loss(logits, targets).sum()  # type: ignore[operator]
    value.backward()
    assert torch.isfinite(value)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6), st.floats(-1e4, 1e4))
def test_log_softmax_does_not_see_a_constant(row: list[float], constant: float) -> None:
    logits = torch.tensor([row], dtype=torch.float64)
    torch.testing.assert_close(log_softmax(logits), log_softmax(logits + constant), atol=1e-8, rtol=1e-8)
    assert log_softmax(logits).exp().sum().item() == pytest.approx(1)


def test_gradient_of_cross_entropy_is_p_minus_t() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    target = torch.tensor([[0.0, 1.0, 0.0]])
    cross_entropy(logits, target).sum().backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, logits.detach().softmax(1) - target)


def test_the_gap_optimum_is_where_smoothed_cross_entropy_is_least() -> None:
    k, eps = 10, 0.1
    gaps = torch.linspace(0, 10, 10_001)
    logits = torch.zeros(len(gaps), k)
    logits[:, 0] = gaps
    losses = cross_entropy(logits, smooth_targets(torch.zeros(len(gaps), dtype=torch.long), k, eps))
    assert gaps[losses.argmin()].item() == pytest.approx(gap_optimum(k, eps), abs=2e-3)


def test_balanced_weights_average_one_over_the_rows_and_skip_absent_classes() -> None:
    labels = np.array([0, 0, 0, 2], dtype=np.int64)
    weights = balanced_weights(labels, 3)
    assert weights[1] == 0
    assert weights[labels].mean() == pytest.approx(1)
    assert 3 * weights[0] == pytest.approx(weights[2])
