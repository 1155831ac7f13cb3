"""Alarms: a tilted camera within a day, a panned one within a minute, a jam as a jam, and no cry of wolf."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.outside import missing

from okulo.apps.speed.measure import measure
from okulo.apps.speed.render import empty_road
from okulo.apps.speed.shift import Reference, ShiftWatch
from okulo.apps.speed.simulate import Camera, Traffic, bumped, drive, observe, simulate
from okulo.apps.speed.watch import Alarm, Watch, simulate_hours
from okulo.apps.speed.watching import WatchParams, run
from okulo.core.errors import BadInput
from okulo.io.images import encode_png
from okulo.io.video import write_video

BEGIN = datetime(2026, 5, 1)
VTEST = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")


def hear(hours: list[tuple[datetime, float, int]]) -> list[Alarm]:
    watch = Watch()
    return [alarm for hour in hours if (alarm := watch.hear(*hour)) is not None]


def test_four_clean_weeks_are_quiet() -> None:
    assert [
        alarm for seed in range(5) for alarm in hear(simulate_hours(28, np.random.default_rng(seed)))
    ] == []


@pytest.mark.parametrize(("factor", "within"), [(1.05, 24), (0.95, 24), (1.1, 8), (0.9, 8)])
def test_a_tilted_camera_is_found_in_time(factor: float, within: int) -> None:
    for seed in range(5):
        start = 15 * 24 + 5 * seed
        alarms = hear(simulate_hours(18, np.random.default_rng(50 + seed), moved_at=start, factor=factor))
        took = (alarms[0].at - BEGIN).total_seconds() / 3600 - start + 1
        assert alarms[0].kind == "camera moved?" and 0 < took <= within
        assert alarms[0].ratio == pytest.approx(factor, abs=0.04)


def test_a_jam_is_called_a_jam_and_once() -> None:
    hours = simulate_hours(18, np.random.default_rng(4), jams=(15 * 24 + 8, 15 * 24 + 9))
    assert [alarm.kind for alarm in hear(hours)] == ["traffic jam?"]


def test_hours_must_follow_each_other() -> None:
    watch = Watch()
    watch.hear(BEGIN, 50.0, 100)
    with pytest.raises(BadInput, match="clock went backwards"):
        watch.hear(BEGIN, 50.0, 100)
    with pytest.raises(BadInput, match="speed"):
        watch.hear(BEGIN + timedelta(hours=1), float("nan"), 100)


def test_a_pan_changes_no_speed_but_a_tilt_does() -> None:
    rng = np.random.default_rng(0)
    camera, traffic = Camera(), Traffic(vehicles=10, jitter=0.002, missed=0.0)
    calibration, vehicles = camera.calibration(rng), drive(traffic, rng)

    def mean(seen_by: Camera) -> float:
        return float(
            np.mean(measure(observe(seen_by, traffic, vehicles, rng).tracks, calibration).means.speed)
        )

    straight = mean(camera)
    assert mean(bumped(camera, pan_px=10)) / straight == pytest.approx(1, abs=0.015)
    assert abs(mean(bumped(camera, pitch_rad=np.radians(0.25))) / straight - 1) > 0.02


def test_the_picture_says_how_far_it_moved() -> None:
    road = empty_road(Camera(), Traffic(), np.random.default_rng(0))
    reference = Reference(road)
    for right, down in ((0, 0), (10, 0), (-6, 4)):
        noisy = np.roll(road, (down, right), axis=(0, 1)).astype(int) * 1.2 + np.random.default_rng(1).normal(
            0, 6, road.shape
        )
        move = reference.move(noisy.clip(0, 255).astype(np.uint8))
        assert (move.right_px, move.down_px) == (pytest.approx(right, abs=0.5), pytest.approx(down, abs=0.5))
    dark = np.zeros_like(road)
    assert reference.move(dark).found == 0
    with pytest.raises(BadInput, match="as the reference"):
        reference.move(road[:500])
    with pytest.raises(BadInput, match="dark, or blank"):
        Reference(dark)


def test_one_odd_frame_is_no_alarm() -> None:
    road = empty_road(Camera(frame_px=(960, 540), focal_px=750), Traffic(), np.random.default_rng(0))
    watch = ShiftWatch(Reference(road))
    moved = np.roll(road, 10, axis=1)
    assert [watch.hear(each) is None for each in (road, moved, road, moved, moved)] == [True] * 5
    move = watch.hear(moved)
    assert move is not None and move.right_px == pytest.approx(10, abs=0.5)


@pytest.mark.slow
def test_a_real_camera_stands_still_and_a_pan_of_ten_pixels_is_found_within_a_minute(tmp_path: Path) -> None:
    from okulo.io.video import open_video

    if not VTEST.exists():
        missing("vtest.avi", "apt-get install opencv-doc")
    with open_video(VTEST) as video:
        frames = [frame for frame in video.frames() if frame.number % 20 == 0]
    still, panned = (ShiftWatch(Reference(frames[0].image)) for _ in range(2))
    assert all(still.hear(frame.image) is None for frame in frames)
    took = next(f.time_s for f in frames if panned.hear(np.roll(f.image, 10, axis=1)))
    assert took < 60


def test_watch_reads_tables_and_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hours = simulate_hours(17, rng, moved_at=15 * 24, factor=1.1)
    at = [hour + timedelta(minutes=m) for hour, _, n in hours for m in range(6)]
    speed = [v * (1 + 0.001 * m) for _, v, n in hours for m in range(-3, 3)]
    pl.DataFrame({"at": at, "speed_kmh": speed}).write_parquet(tmp_path / "v.parquet")
    road = empty_road(Camera(frame_px=(960, 540), focal_px=750), Traffic(), rng)
    (tmp_path / "frame.png").write_bytes(encode_png(road))
    with write_video(tmp_path / "later.mp4", width=960, height=540) as writer:
        for k in range(6):
            writer.write(np.roll(road, 10, axis=1), k * 5.0)
    report = run(
        WatchParams(
            vehicles=(tmp_path / "v.parquet",), reference=tmp_path / "frame.png", video=tmp_path / "later.mp4"
        )
    )
    assert report.alarms[0].kind == "camera moved?"
    assert report.move is not None and report.move.right_px == pytest.approx(10, abs=0.5)
    pl.DataFrame({"speed_kmh": speed}).write_parquet(tmp_path / "w.parquet")
    for params, says in (
        (WatchParams(), "neither"),
        (WatchParams(vehicles=(tmp_path / "w.parquet",)), "--start"),
        (WatchParams(vehicles=(tmp_path / "gone.parquet",)), "cannot be read"),
        (WatchParams(reference=tmp_path / "frame.png"), "go together"),
    ):
        with pytest.raises(BadInput, match=says):
            run(params)


def test_the_simulator_is_as_fast_as_it_says() -> None:
    driven = simulate(Camera(), Traffic(vehicles=20), np.random.default_rng(0))
    assert driven.speed_mps.min() * 3.6 >= 24.9 and driven.speed_mps.max() * 3.6 <= 130.1
