"""Tracks: known ones are found again, whatever the frame rate; what cannot be is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from okulo.algo import track_kernels as kernels
from okulo.algo.track import Following, Tracker, assign, centred, track
from okulo.algo.track_scenes import Scene, simulate
from okulo.core.errors import BadInput
from okulo.core.nouns import Detections
from okulo.metrics.tracking import tracking_scores


def boxes(*xyxy: tuple[float, float, float, float], score: float = 0.9) -> Detections:
    n = len(xyxy)
    return Detections(
        np.array(xyxy, np.float32).reshape(-1, 4), np.full(n, score, np.float32), np.zeros(n, np.int32)
    )


def test_two_that_cross_keep_who_they_are() -> None:
    frames = []
    for k in range(50):
        x = 10.0 * k
        frames.append((k / 25, boxes((x, 100, x + 60, 160), (500 - x, 130, 560 - x, 190))))
    found = track(frames)
    assert len(found) == 100
    right = found.xyxy[found.track == 1]
    assert (np.diff(right[:, 0]) > 0).all()


def test_a_kalman_of_eight_is_four_of_two() -> None:
    rng = np.random.default_rng(0)
    state, spread = rng.uniform(50, 90, (3, 4, 2)), np.zeros((3, 4, 3))
    spread[..., 0], spread[..., 1], spread[..., 2] = 4.0, 1.0, 9.0
    big = [np.concatenate([s[:, 0], s[:, 1]]) for s in state]
    cover = np.zeros((8, 8))
    cover[:4, :4], cover[:4, 4:], cover[4:, :4], cover[4:, 4:] = (np.eye(4) * v for v in (4, 1, 1, 9))
    covers = [cover.copy() for _ in range(3)]
    seen = np.ascontiguousarray(state[:, :, 0] + rng.normal(0, 2, (3, 4)))
    size = np.sqrt(state[:, 2, 0] * state[:, 3, 0])
    dt, push, drift, jitter = 0.2, 3.0, 0.1, 0.05
    kernels.predict(state, spread, dt, push, drift)
    kernels.correct(state, spread, np.arange(3), seen, jitter)
    F = np.eye(8)
    F[:4, 4:] = dt * np.eye(4)
    H = np.eye(4, 8)
    for i in range(3):
        hard = (push * size[i]) ** 2 * dt
        Q = np.block(
            [
                [np.eye(4) * (hard * dt**2 / 3 + (drift * size[i]) ** 2 * dt), np.eye(4) * hard * dt / 2],
                [np.eye(4) * hard * dt / 2, np.eye(4) * hard],
            ]
        )
        x, P = F @ big[i], F @ covers[i] @ F.T + Q
        R = np.eye(4) * jitter**2 * seen[i, 2] * seen[i, 3]
        K = P @ H.T @ np.linalg.inv(H @ P @ H.T + R)
        x, P = x + K @ (seen[i] - H @ x), P - K @ H @ P
        np.testing.assert_allclose(state[i].T.ravel(), x, rtol=1e-9)
        np.testing.assert_allclose(spread[i, :, 0], np.diag(P)[:4], rtol=1e-9)
        np.testing.assert_allclose(spread[i, :, 1], np.diag(P[:4, 4:]), rtol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_leaving_out_who_has_no_rival_changes_no_assignment(seed: int) -> None:
    rng = np.random.default_rng(seed)
    similar = rng.random((rng.integers(1, 8), rng.integers(1, 8))) * (rng.random() < rng.random((1, 1)))
    similar[similar < 0.6] = 0.0
    rows, columns = assign(similar, 0.6)
    r, c = linear_sum_assignment(similar, maximize=True)
    assert similar[rows, columns].sum() == pytest.approx(similar[r, c].sum())
    assert len(set(rows)) == len(rows) and len(set(columns)) == len(columns)


@pytest.mark.parametrize("dropped", [0.0, 0.4])
def test_a_scene_is_followed_also_where_frames_are_dropped(dropped: float) -> None:
    scene = Scene(objects=12, seconds=8, dropped=dropped)
    truth, frames = simulate(scene, np.random.default_rng(3))
    scores = tracking_scores(truth, track(frames))
    assert scores.idf1 > 0.9 and scores.mota > 0.88


def test_a_weak_detection_continues_a_track_but_begins_none() -> None:
    strong, weak = boxes((0, 0, 40, 40)), boxes((0, 0, 40, 40), score=0.3)
    tracker = Tracker()
    assert [
        tracker.step(t, f).track.tolist() for t, f in [(0, weak), (1 / 25, strong), (2 / 25, strong)]
    ] == [
        [-1],
        [1],
        [1],
    ]
    assert tracker.step(3 / 25, weak).track.tolist() == [1]
    assert tracker.step(4 / 25, boxes((0, 0, 40, 40), score=0.05)).track.tolist() == [-1]


def test_memory_holds_present_tracks_only() -> None:
    tracker = Tracker(Following(lost_s=0.5))
    for k in range(200):
        tracker.step(k / 25, boxes((30 * k, 0, 30 * k + 20, 20)))  # each is seen once
    assert len(tracker) <= 2
    tracker.step(100.0, boxes())
    assert len(tracker) == 0


def test_classes_are_kept_apart_where_asked() -> None:
    car = boxes((0, 0, 40, 40))
    truck = Detections(car.xyxy, car.score, np.ones(1, np.int32))
    assert len(np.unique(track([(0.0, car), (0.04, truck), (0.08, truck)]).track)) == 1
    apart = track([(0.0, car), (0.04, truck), (0.08, truck)], Following(apart=True))
    assert apart.label.tolist() == [1, 1]


def test_nothing_seen_is_no_track() -> None:
    assert len(track([])) == 0
    assert len(track([(0.0, boxes()), (0.1, boxes())])) == 0
    assert len(track([(0.0, boxes((0, 0, 9, 9)))])) == 0  # seen once


def test_boxes_without_area_do_no_harm() -> None:
    point = boxes((5, 5, 5, 5))
    found = track([(0.0, point), (0.04, point), (0.08, point)])
    assert np.isfinite(found.xyxy).all()
    assert (centred(point.xyxy.astype(float))[:, 2:] == 1).all()


@pytest.mark.parametrize(
    ("times", "says"),
    [((1.0, 0.5), "went backwards"), ((1.0, 1.0), "two frames at one time"), ((float("nan"),), "finite")],
)
def test_a_broken_clock_is_refused(times: tuple[float, ...], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        track([(t, boxes((0, 0, 9, 9))) for t in times])


def test_thresholds_out_of_order_are_refused() -> None:
    with pytest.raises(BadInput, match="low ≤ high ≤ begin"):
        Following(low=0.6, high=0.3)
    with pytest.raises(BadInput, match="lost_s"):
        Following(lost_s=-1)
