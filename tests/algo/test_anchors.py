"""Anchors: clusters that were planted are found; what cannot be is refused."""

import numpy as np
import pytest

from okulo.algo.anchors import find_anchors, mean_overlap, size_iou
from okulo.core.errors import BadInput


def test_planted_sizes_are_found() -> None:
    rng = np.random.default_rng(0)
    planted = np.array([[10.0, 12.0], [40.0, 20.0], [90.0, 100.0]])
    sizes = planted[rng.integers(3, size=300)] * np.exp(rng.normal(0, 0.05, (300, 2)))
    anchors, overlap = find_anchors(sizes, 3, rng)
    np.testing.assert_allclose(anchors, planted, rtol=0.03)
    assert overlap == pytest.approx(mean_overlap(sizes, anchors)) and overlap > 0.9


def test_overlap_of_sizes_is_that_of_boxes_with_one_corner() -> None:
    from okulo.algo.boxes import iou

    rng = np.random.default_rng(1)
    a, b = rng.uniform(1, 9, (4, 2)), rng.uniform(1, 9, (5, 2))
    corner = [np.concatenate([np.zeros_like(x), x], axis=1).astype(np.float32) for x in (a, b)]
    np.testing.assert_allclose(size_iou(a, b), iou(*corner), rtol=1e-5)


def test_few_boxes_give_as_many_anchors_all_the_same() -> None:
    anchors, _ = find_anchors(np.array([[5.0, 5.0]]), 4, np.random.default_rng(0))
    assert anchors.shape == (4, 2) and (anchors > 0).all()


def test_no_boxes_are_refused() -> None:
    with pytest.raises(BadInput, match="width and height above 0, got none"):
        find_anchors(np.array([[0.0, 5.0], [np.nan, 1.0]]), 2, np.random.default_rng(0))
    with pytest.raises(BadInput, match="anchors: expected 1 or more"):
        find_anchors(np.ones((3, 2)), 0, np.random.default_rng(0))
