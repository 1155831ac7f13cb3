"""From pixels to speeds: a rendered video, a detector that looks for colour, tables, plot, drawn video."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from okulo.apps.speed.command import run
from okulo.apps.speed.params import SpeedParams, SpeedReport
from okulo.apps.speed.render import ColourDetector
from okulo.core.errors import BadInput
from okulo.io.video import open_video

from .road import Road, make_road


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    return make_road(tmp_path_factory.mktemp("road"))


def colours(path: Path) -> tuple[ColourDetector, tuple[str, ...]]:
    return ColourDetector(), ("car",)


def measured(road: Road, output: Path, **other: object) -> SpeedReport:
    given = {
        "video": road.video,
        "calibration": road.calibration,
        "model": Path("m"),
        "output": output,
        **other,
    }
    return run(SpeedParams(**given), detector=colours)  # type: ignore[arg-type]


def test_pixels_become_speeds(road: Road, tmp_path: Path) -> None:
    report = measured(road, tmp_path / "out", annotate=True, start="2026-05-01T14:00")
    vehicles = pl.read_parquet(tmp_path / "out" / "vehicles.parquet").sort("first_s")
    assert report.vehicles == len(vehicles) >= len(road.vehicles) - 1
    right = 0
    for row in vehicles.iter_rows(named=True):
        near = [v for v in road.vehicles if abs(v.time_s[-1] - row["last_s"]) < 0.3 and v.away == row["away"]]
        right += any(abs(row["speed_kmh"] / (v.speed_mps.mean() * 3.6) - 1) < 0.04 for v in near)
    assert right >= len(road.vehicles) - 1
    assert vehicles["at"][0].hour == 14
    rows = pl.read_parquet(tmp_path / "out" / "speeds.parquet")
    assert {"smooth_kmh", "live_kmh", "rule_kmh", "x_m", "y_m"} <= set(rows.columns)
    assert (tmp_path / "out" / "speeds.png").stat().st_size > 5000
    with open_video(tmp_path / "out" / "annotated.mp4") as video:
        assert sum(1 for _ in video.frames()) == report.frames
    assert json.loads((tmp_path / "out" / "report.json").read_text())["vehicles"] == report.vehicles


def table(folder: Path, times: list[float], **other: object) -> Path:
    n = len(times)
    x = np.linspace(333, 373, n)
    frame = pl.DataFrame(
        {
            "source": ["road.mp4"] * n, "frame": list(range(n)), "time_s": times, "x1": x, "y1": x - 67,
            "x2": x + 40, "y2": x - 40, "score": [0.9] * n, "label": ["car"] * n, **other,
        },
        schema_overrides={"label": pl.String, "time_s": pl.Float64, "source": pl.String, "frame": pl.Int64},
    )  # fmt: skip
    frame.write_parquet(folder / "d.parquet")
    return folder / "d.parquet"


def test_detections_of_a_table_do_as_well(road: Road, tmp_path: Path) -> None:
    found = table(tmp_path, [k / 25 for k in range(40)])
    report = measured(road, tmp_path / "out", model=None, detections=found, least_m=0.0, unit="mph")
    assert report.vehicles == 1 and report.unit == "mph"
    assert "speed_mph" in pl.read_parquet(tmp_path / "out" / "vehicles.parquet").columns


def test_nothing_detected_and_seen_once_are_said(road: Road, tmp_path: Path) -> None:
    report = measured(road, tmp_path / "a", model=None, detections=table(tmp_path, []))
    assert (report.vehicles, report.median) == (0, None) and "nothing was detected" in report.hint
    assert len(pl.read_parquet(tmp_path / "a" / "vehicles.parquet")) == 0
    report = measured(road, tmp_path / "b", model=None, detections=table(tmp_path, [0.0]))
    assert report.vehicles == 0 and "seen twice" in report.hint


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"times": [0.0, 0.2, 0.1]}, "must run forward"),
        ({"times": [0.0, 0.1], "label": ["cat", "cat"]}, "labels: expected some of cat"),
        ({"times": [0.0, 0.1], "source": ["a", "b"]}, "several videos"),
        ({"times": [0.0, float("nan")]}, "without a time"),
    ],
)
def test_tables_that_say_nonsense_are_refused(road: Road, tmp_path: Path, columns: dict, says: str) -> None:
    found = table(tmp_path, columns.pop("times"), **columns)
    with pytest.raises(BadInput, match=says):
        measured(road, tmp_path / "out", model=None, detections=found)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_measured_is_refused(road: Road, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(road.video.read_bytes()[:3000])
    for other, says in (
        ({"video": broken}, "no video|no frame"),
        ({"video": tmp_path / "gone.mp4"}, "does not exist"),
        ({"calibration": tmp_path / "gone.json"}, "cannot be read"),
        ({"model": None}, "--model M or --detections D"),
        ({"start": "yesterday"}, "2026-05-01T14:00"),
        ({"labels": ("lorry",)}, "classes of the model"),
    ):
        with pytest.raises(BadInput, match=says):
            measured(road, tmp_path / "out", **other)
    assert not (tmp_path / "out").exists()
