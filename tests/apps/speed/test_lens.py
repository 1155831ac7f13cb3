"""A lens that bends: straightened, the ground is where it is, and speeds are as without it."""

from dataclasses import replace

import numpy as np
import pytest

from okulo.apps.speed.calibration import Calibration, as_json, from_json, grid
from okulo.apps.speed.estimate import estimate, learn_noise
from okulo.apps.speed.ground import stand
from okulo.apps.speed.lens import bend, straighten
from okulo.apps.speed.simulate import Camera, Traffic, simulate
from okulo.core.errors import BadInput

BARREL = Camera(distortion=-0.25)
K = -0.25 * (np.hypot(*BARREL.frame_px) / 2 / BARREL.focal_px) ** 2


def marked(lens: float) -> Calibration:
    return replace(BARREL.calibration(np.random.default_rng(0)), lens=lens)


@pytest.mark.parametrize("k", [-0.3, -0.1, 0.2, 1.0])
def test_bending_is_undone(k: float) -> None:
    pixels = np.random.default_rng(0).uniform(0, 1, (50, 2)) * BARREL.frame_px
    bent = bend(pixels, BARREL.frame_px, k)
    np.testing.assert_allclose(straighten(bent, BARREL.frame_px, k), pixels, atol=1e-6)


def test_the_bent_ground_is_where_it_is() -> None:
    points = np.array([[2.0, 25.0, 0.0], [5.0, 40.0, 0.0], [9.0, 80.0, 0.0]])
    pixels = BARREL.picture(points)
    wanted = points[:, :2] - [0, 20]
    right, wrong = marked(K), marked(0.0)
    np.testing.assert_allclose(right.ground(pixels), wanted, atol=1e-3)
    assert np.abs(wrong.ground(pixels) - wanted).max() > 0.3
    np.testing.assert_allclose(right.picture(wanted), pixels, atol=1e-3)
    step = np.array([0.01, 0.0])
    moved = (right.ground(pixels + step) - right.ground(pixels - step)) / 0.02
    np.testing.assert_allclose(right.metres_a_pixel(pixels)[:, :, 0], moved, rtol=0.01, atol=1e-4)
    assert len(grid(right, cells=3)) > len(grid(wrong, cells=3))
    assert from_json(as_json(right)) == right


def test_speeds_are_right_only_with_the_lens_known() -> None:
    driven = simulate(BARREL, Traffic(vehicles=12), np.random.default_rng(1))

    def error_kmh(lens: float) -> float:
        calibration = marked(lens)
        ground = stand(driven.tracks, calibration)
        speeds, _ = estimate(ground, calibration, learn_noise(ground))
        return float(np.nanmean(np.abs(speeds.smooth - driven.speed_mps[ground.row])) * 3.6)

    assert error_kmh(K) < 0.3 and 3 * error_kmh(K) < error_kmh(0.0)


def test_a_lens_that_folds_the_picture_is_refused() -> None:
    with pytest.raises(BadInput, match=r"lens: expected -0.3 to 1.0, got -0.5"):
        marked(-0.5)
