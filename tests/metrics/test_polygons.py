"""Measures of polygons: numbers by hand, and counting pixels."""

import numpy as np
import pytest

from okulo.apps.footprints.simulate import draw, make_building
from okulo.metrics.polygons import (
    hausdorff,
    iou,
    max_side_angle_error,
    max_tangent_angle_error,
    parallel_share,
    polis,
    right_angle_share,
)

SQUARE = [np.array([[0.0, 0], [20, 0], [20, 20], [0, 20]])]


def test_iou_is_what_counting_fine_pixels_says() -> None:
    rng = np.random.default_rng(0)
    for kind in ("L", "courtyard", "wings"):
        a = [ring + 50 for ring in make_building(kind, rng)]
        b = [ring + 52 for ring in make_building(kind, rng)]
        one, other = (draw(rings, (100, 100), fine=16) for rings in (a, b))
        # shares of pixels: the product is the overlap but at edges, so count where both are whole or none
        both, either = np.minimum(one, other).sum(), np.maximum(one, other).sum()
        assert iou(a, b) == pytest.approx(both / either, abs=0.03)


def test_pixel_stairs_have_right_angles_but_a_wrong_tangent() -> None:
    steps = np.array([[k // 2 + k % 2, k // 2] for k in range(40)], np.float64)
    stairs = [np.concatenate([steps, [[0.0, 20.0]]])]
    truth = [np.array([[0.0, 0], [20, 20], [0, 20]])]
    assert right_angle_share(stairs) > 0.9
    assert max_side_angle_error(truth, stairs) == pytest.approx(45)
    assert max_tangent_angle_error(truth, stairs) > 30
    assert max_side_angle_error(truth, truth) < 1e-5


def test_moved_squares() -> None:
    moved = [SQUARE[0] + [3.0, 4.0]]
    assert hausdorff(SQUARE, moved) == pytest.approx(5)
    assert polis(SQUARE, SQUARE) == 0
    assert parallel_share(SQUARE) == 1
