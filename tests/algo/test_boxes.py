"""Boxes against counted pixels, a naive loop and torchvision."""

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from okulo.algo import boxes
from okulo.core.errors import BadInput

SIDE = 24
THRESHOLDS = (0.0, 0.05, 0.3, 0.45, 0.5, 0.7, 0.95, 1.0)


def whole(n: int, seed: int, side: int = SIDE) -> np.ndarray:
    """Boxes with whole corners, some of them empty."""
    corners = np.random.default_rng(seed).integers(0, side + 1, (n, 2, 2))
    return np.sort(corners, axis=1).reshape(n, 4).astype(np.float32)


def crowd(n: int, seed: int, scale: float = 100.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes in clusters, of sizes from a pixel to the picture; scores with ties; a few labels."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, scale, (max(1, n // 8), 2))[rng.integers(0, max(1, n // 8), n)]
    sides = np.exp(rng.uniform(0, np.log(scale), (n, 1))) * np.exp(rng.normal(0, 0.2, (n, 2)))
    middle = centres + rng.normal(0, 2, (n, 2))
    xyxy = np.concatenate([middle - sides / 2, middle + sides / 2], axis=1).astype(np.float32)
    score = (rng.integers(0, 200, n) / 199).astype(np.float32)
    return xyxy, score, rng.integers(0, 3, n).astype(np.int32)


def pixels_of(box: np.ndarray) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    x0, y0, x1, y1 = box.astype(int)
    mask[y0:y1, x0:x1] = True
    return mask


@given(st.integers(0, 10_000))
def test_iou_is_what_counting_pixels_gives(seed: int) -> None:
    a, b = whole(4, seed), whole(3, seed + 1)
    shares = boxes.iou(a, b)
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            inner, outer = pixels_of(one) & pixels_of(other), pixels_of(one) | pixels_of(other)
            assert shares[i, j] == pytest.approx(inner.sum() / max(outer.sum(), 1), abs=1e-6)


def test_iou_agrees_with_torchvision() -> None:
    (a, _, _), (b, _, _) = crowd(70, 1), crowd(50, 2)
    theirs = torchvision.ops.box_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(boxes.iou(a, b), theirs, atol=1e-6)


finite = st.floats(-1000, 1000, width=32)


@given(nps.arrays(np.float32, st.tuples(st.integers(0, 6), st.just(4)), elements=finite))
def test_overlap_is_symmetric_and_a_share(corners: np.ndarray) -> None:
    some = np.concatenate([corners[:, :2], np.maximum(corners[:, :2], corners[:, 2:])], axis=1)
    shares = boxes.iou(some, some)
    np.testing.assert_array_equal(shares, shares.T)
    assert ((shares >= 0) & (shares <= 1 + 1e-6)).all()


@given(nps.arrays(np.float32, st.tuples(st.integers(0, 6), st.just(4)), elements=finite))
def test_conversions_go_there_and_back(xywh: np.ndarray) -> None:
    sized = np.concatenate([xywh[:, :2], np.abs(xywh[:, 2:])], axis=1)
    np.testing.assert_allclose(boxes.to_xywh(boxes.from_xywh(sized)), sized, atol=2e-4)
    np.testing.assert_allclose(boxes.to_centre(boxes.from_centre(sized)), sized, atol=2e-4)


def test_conversions_agree_with_torchvision() -> None:
    xyxy, _, _ = crowd(40, 3)
    for ours, form in ((boxes.to_xywh, "xywh"), (boxes.to_centre, "cxcywh")):
        theirs = torchvision.ops.box_convert(torch.from_numpy(xyxy), "xyxy", form).numpy()
        np.testing.assert_allclose(ours(xyxy), theirs, atol=1e-4)
    np.testing.assert_array_equal(
        boxes.clip(xyxy, 60, 80),
        torchvision.ops.clip_boxes_to_image(torch.from_numpy(xyxy), (60, 80)).numpy(),
    )
    np.testing.assert_array_equal(boxes.area(xyxy), torchvision.ops.box_area(torch.from_numpy(xyxy)).numpy())


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, 400),
    st.integers(0, 10_000),
    st.sampled_from(THRESHOLDS),
    st.sampled_from((3.0, 90.0, 4e4)),
)
def test_keeps_are_those_of_torchvision(n: int, seed: int, threshold: float, scale: float) -> None:
    xyxy, score, _ = crowd(n, seed, scale)
    theirs = torchvision.ops.nms(torch.from_numpy(xyxy), torch.from_numpy(score), threshold).numpy()
    np.testing.assert_array_equal(boxes.nms(xyxy, score, threshold), theirs)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 60), st.integers(0, 10_000), st.sampled_from(THRESHOLDS))
def test_keeps_with_empty_and_equal_boxes_too(n: int, seed: int, threshold: float) -> None:
    xyxy = whole(n, seed, side=5)
    score = np.float32(np.random.default_rng(seed).integers(-2, 3, n))
    theirs = torchvision.ops.nms(torch.from_numpy(xyxy), torch.from_numpy(score), threshold).numpy()
    np.testing.assert_array_equal(boxes.nms(xyxy, score, threshold), theirs)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 200), st.integers(0, 10_000))
def test_by_class_is_each_class_alone(n: int, seed: int) -> None:
    xyxy, score, label = crowd(n, seed)
    alone = [np.flatnonzero(label == k) for k in range(3)]
    wanted = np.concatenate([rows[boxes.nms(xyxy[rows], score[rows], 0.5)] for rows in alone])
    got = boxes.nms_by_class(xyxy, score, label, 0.5)
    assert sorted(got) == sorted(wanted)
    assert (np.diff(score[got]) <= 0).all()


def soft_by_loops(
    xyxy: np.ndarray, score: np.ndarray, label: np.ndarray, sigma: float, threshold: float
) -> dict[int, float]:
    left, kept = {i: float(score[i]) for i in range(len(score))}, {}
    while left:
        best = max(left, key=lambda i: left[i])
        kept[best] = left.pop(best)
        for i in left:
            share = float(boxes.iou(xyxy[[best]], xyxy[[i]])[0, 0]) if label[best] == label[i] else 0.0
            left[i] *= np.exp(-(share**2) / sigma) if sigma else 1 - share if share > threshold else 1
    return kept


@pytest.mark.parametrize("sigma", [0.5, 0.0])
def test_soft_suppression_is_the_papers_loop(sigma: float) -> None:
    xyxy, score, label = crowd(60, 5)
    score += np.linspace(0, 0.004, 60, dtype=np.float32)  # no ties
    rows, scores = boxes.soft_nms(xyxy, score, label, sigma=sigma, threshold=0.3, least=0.01)
    wanted = {i: s for i, s in soft_by_loops(xyxy, score, label, sigma, 0.3).items() if s >= 0.01}
    assert dict(zip(rows.tolist(), scores.tolist())) == pytest.approx(wanted, rel=1e-4)
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize(
    ("xyxy", "score", "threshold", "said"),
    [
        ([[5, 0, 2, 2]], [1], 0.5, "x0 > x1 or y0 > y1 in row 0; is this xywh"),
        ([[0, 0, np.nan, 2]], [1], 0.5, "expected finite numbers, got nan in row 0"),
        ([[0, 0, 2, 2]], [np.inf], 0.5, "expected finite numbers, got inf in row 0"),
        ([[0, 0, 2, 2]], [1], 1.5, "expected an overlap, 0 to 1, got 1.5"),
    ],
)
def test_bad_boxes_are_refused(xyxy: list, score: list, threshold: float, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        boxes.nms(np.float32(xyxy), np.float32(score), threshold)
