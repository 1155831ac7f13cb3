"""Speeds against a simulator that knows them: small errors, honest intervals, also with frames dropped."""

from dataclasses import replace

import numpy as np
import pytest

from okulo.apps.speed import filter_kernels as kernels
from okulo.apps.speed.calibration import Calibration
from okulo.apps.speed.estimate import NINETY, Noise, estimate, learn_noise
from okulo.apps.speed.ground import cut_reversals, stand
from okulo.apps.speed.measure import measure
from okulo.apps.speed.rule import rule_speeds
from okulo.apps.speed.simulate import Camera, Traffic, simulate
from okulo.core.errors import BadInput
from okulo.core.nouns import Tracks

KMH = 3.6


def drive(
    seed: int = 0, *, clicks_px: float = 0.0, **traffic: float
) -> tuple[Tracks, np.ndarray, Calibration]:
    rng = np.random.default_rng(seed)
    calibration = Camera().calibration(rng, clicks_px=clicks_px)
    driven = simulate(Camera(), Traffic(**{"vehicles": 25, **traffic}), rng)  # type: ignore[arg-type]
    return driven.tracks, driven.speed_mps, calibration


def test_without_noise_the_speed_is_exact() -> None:
    tracks, true, calibration = drive(jitter=0.0, missed=0.0)
    made = measure(tracks, calibration, noise=Noise(white=0.001, drift=0.0, pull_mps2=0.01))
    ground = made.ground
    middle = np.array([true[ground.row[a]] for a in ground.starts[:-1]])
    np.testing.assert_allclose(made.means.speed, middle, rtol=5e-3)


@pytest.mark.parametrize("dropped", [0.0, 0.4])
def test_errors_are_small_and_intervals_honest(dropped: float) -> None:
    tracks, true, calibration = drive(1, dropped=dropped, uneven=0.6 if dropped else 0.0)
    ground = stand(tracks, calibration)
    noise = learn_noise(ground)
    assert noise.white == pytest.approx(0.015, rel=0.15)
    speeds, means = estimate(ground, calibration, noise)
    off = np.abs(speeds.smooth - true[ground.row])
    assert off.mean() * KMH < 0.24
    assert 0.8 < (off < NINETY * speeds.smooth_sd).mean() <= 0.99
    truth = np.array([true[ground.row[a:b]].mean() for a, b in zip(ground.starts[:-1], ground.starts[1:])])
    assert np.abs(means.speed - truth).mean() * KMH < 0.24


def test_braking_and_drifting_boxes_are_followed() -> None:
    tracks, true, calibration = drive(2, acceleration_mps2=1.0, drift=0.015)
    ground = stand(tracks, calibration)
    speeds, _ = estimate(ground, calibration, learn_noise(ground))
    age = ground.time_s - np.repeat(ground.time_s[ground.starts[:-1]], np.diff(ground.starts))
    off = np.abs(speeds.live - true[ground.row])[age > 1]
    assert off.mean() * KMH < 1.9
    assert 0.8 < (off < NINETY * speeds.live_sd[age > 1]).mean() < 0.97
    rule = rule_speeds(ground, every=10, average=3)
    assert np.nanmean(np.abs(rule - true[ground.row])) > np.nanmean(
        np.abs(speeds.live - true[ground.row])[age > 1]
    )


def test_unsteady_clicks_are_in_the_interval() -> None:
    inside = []
    for seed in range(12):
        tracks, true, calibration = drive(10 + seed, clicks_px=2.0, vehicles=8)
        made = measure(tracks, calibration, noise=Noise(white=0.015, drift=0.001, pull_mps2=0.01))
        ground = made.ground
        truth = np.array([true[ground.row[a]] for a in ground.starts[:-1]])
        inside.append((np.abs(made.means.speed - truth) < NINETY * made.means.sd).mean())
    assert np.mean(inside) > 0.75


def test_the_middle_of_the_box_would_be_far_off() -> None:
    tracks, true, calibration = drive(3)
    lifted = tracks.xyxy.copy()
    lifted[:, 3] = lifted[:, [1, 3]].mean(axis=1)
    ground = stand(replace(tracks, xyxy=lifted), calibration)
    bias = np.nanmean(rule_speeds(ground) - true[ground.row]) * KMH
    assert bias > 4


def test_the_filter_is_the_kalman_filter() -> None:
    rng = np.random.default_rng(0)
    time_s = np.cumsum(rng.uniform(0.02, 0.2, 30))
    place, unit = 15 * time_s + rng.normal(0, 0.1, 30), np.linspace(4, 1, 30)
    noise = Noise().array()
    means, spreads, _, _, whole, _ = kernels.forward(time_s, place, unit, noise, 1e6, 30.0)
    white, drift, drift_s, pull, pull_s = noise
    x = np.array([place[0], 0, 0, 0])
    P = np.diag([(10 * unit[0] + 10) ** 2, 900.0, pull**2, drift**2])
    for k in range(30):
        if k:
            F, Q = kernels.step_matrices(time_s[k] - time_s[k - 1], pull, pull_s, drift, drift_s)
            x, P = F @ x, F @ P @ F.T + Q
        H = np.array([1, 0, 0, unit[k]])
        K = P @ H / (H @ P @ H + (unit[k] * white) ** 2)
        x, P = x + K * (place[k] - H @ x), P - np.outer(K, H @ P)
        np.testing.assert_allclose(means[k], x, atol=1e-8)
        np.testing.assert_allclose(spreads[k], P, atol=1e-6)
    assert whole[-1, 0] == pytest.approx(15, abs=0.5)


def test_smoothing_ends_where_the_filter_does_and_knows_more_before() -> None:
    time_s = np.arange(40) / 25
    place, unit = 10 * time_s, np.full(40, 2.0)
    noise = Noise().array()
    means, spreads, said, saids, _, _ = kernels.forward(time_s, place, unit, noise, 4.0, 30.0)
    x, P = kernels.backward(time_s, means, spreads, said, saids, noise)
    np.testing.assert_allclose(x[-1], means[-1])
    assert (P[:-1, 1, 1] <= spreads[:-1, 1, 1] + 1e-9).all()


def tracks_of(rows: list[tuple[int, float, float, float]]) -> Tracks:
    """track, time, and where the middle of the lower side is."""
    n = len(rows)
    xyxy = np.array([[x - 20, y - 30, x + 20, y] for _, _, x, y in rows], np.float32).reshape(-1, 4)
    return Tracks(
        np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows], float), xyxy,
        np.ones(n, np.float32), np.zeros(n, np.int32),
    )  # fmt: skip


def test_a_vehicle_seen_once_has_no_speed_and_nobody_is_no_fault() -> None:
    calibration = Camera().calibration(np.random.default_rng(0))
    made = measure(tracks_of([(1, 0.0, 1000, 600)]), calibration)
    assert np.isnan(made.means.speed).all() and np.isnan(made.rule).all()
    assert measure(tracks_of([]), calibration).ground.vehicles == 0


def test_boxes_cut_off_by_the_edge_are_left_out() -> None:
    calibration = Camera().calibration(np.random.default_rng(0))
    ground = stand(tracks_of([(1, 0.0, 1000, 600), (1, 0.1, 1000, 1079.5)]), calibration)
    assert len(ground) == 1


def test_a_clock_that_stands_still_is_refused() -> None:
    calibration = Camera().calibration(np.random.default_rng(0))
    with pytest.raises(BadInput, match="clock"):
        stand(tracks_of([(1, 0.5, 1000, 600), (1, 0.5, 1000, 610)]), calibration)


def test_a_track_that_turns_round_in_a_gap_is_two_vehicles() -> None:
    calibration = Camera().calibration(np.random.default_rng(0))
    there = [(1, k / 25, 1000.0, 500.0 + 3 * k) for k in range(12)]
    back = [(1, 1 + k / 25, 1000.0, 530.0 - 3 * k) for k in range(12)]
    assert len(np.unique(cut_reversals(tracks_of(there + back), calibration).track)) == 2
    on = [(1, 1 + k / 25, 1000.0, 575.0 + 3 * k) for k in range(12)]
    assert len(np.unique(cut_reversals(tracks_of(there + on), calibration).track)) == 1
