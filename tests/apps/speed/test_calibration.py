"""The plane of the road: known points come back, and what spans no plane is refused in plain words."""

import json
from pathlib import Path

import numpy as np
import pytest

from okulo.apps.speed.calibrate import CalibrateParams, run
from okulo.apps.speed.calibration import Calibration, from_json, grid, load, save
from okulo.apps.speed.simulate import Camera
from okulo.core.errors import BadInput
from okulo.io.images import encode_png

CORNERS = ((300.0, 900.0), (1500.0, 880.0), (1100.0, 300.0), (800.0, 310.0))


def made(**other: object) -> Calibration:
    given: dict[str, object] = {
        "corners_px": CORNERS,
        "width_m": 7.0,
        "length_m": 40.0,
        "frame_px": (1920, 1080),
    }
    return Calibration(**{**given, **other})  # type: ignore[arg-type]


def test_ground_points_are_where_the_camera_says() -> None:
    camera = Camera()
    calibration = camera.calibration(np.random.default_rng(0))
    there = np.array([[1.0, 25.0], [9.0, 60.0], [5.0, 88.0]])
    seen = camera.picture(np.column_stack([there, np.zeros(3)]))
    np.testing.assert_allclose(calibration.ground(seen), there - [0, 20], atol=1e-6)
    np.testing.assert_allclose(calibration.picture(there - [0, 20]), seen, atol=1e-6)


def test_how_far_a_pixel_goes_is_the_slope_of_the_map() -> None:
    calibration = Camera().calibration(np.random.default_rng(0))
    at = np.array([[1000.0, 500.0], [1100.0, 700.0]])
    for axis, step in enumerate(np.eye(2) * 1e-3):
        slope = (calibration.ground(at + step) - calibration.ground(at - step)) / 2e-3
        np.testing.assert_allclose(calibration.metres_a_pixel(at)[:, :, axis], slope, rtol=1e-4)


def test_above_the_horizon_is_no_road() -> None:
    calibration = Camera().calibration(np.random.default_rng(0))
    assert np.isnan(calibration.ground(np.array([[960.0, 5.0]]))).all()


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"corners_px": ((0, 0), (100, 100), (200, 200), (0, 300))}, "on one line"),
        ({"corners_px": ((0, 0), (100, 0), (200, 0), (300, 0))}, "on one line"),
        ({"corners_px": ((0, 0), (100, 100), (100, 0), (0, 100))}, "sides cross"),
        ({"corners_px": ((5, 5), (5, 5), (5, 5), (5, 5))}, "same point"),
        ({"corners_px": ((0, 0), (100, 0), (40, 30), (0, 100))}, "inside"),
        ({"width_m": 0.0}, "width-m: expected metres above 0"),
        ({"length_m": -3.0}, "length-m: expected metres above 0"),
        ({"length_m": float("nan")}, "length-m: expected metres above 0"),
        ({"corners_px": ((0, 0), (float("inf"), 0), (40, 30), (0, 100))}, "finite"),
    ],
)
def test_what_spans_no_rectangle_is_refused(other: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        made(**other)


def test_more_points_show_how_far_off_they_are() -> None:
    rng = np.random.default_rng(1)
    exact = Camera().calibration(rng, more=6)
    assert exact.error_px() < 1e-3
    errors = [
        Camera().calibration(np.random.default_rng(s), more=6, clicks_px=2.0).error_px() for s in range(30)
    ]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(
        2.0, rel=0.15
    )  # says how unsteady the hand was


def test_the_file_holds_it_all(tmp_path: Path) -> None:
    one = made(more=((700.0, 500.0, 2.0, 20.0),), click_px=1.5)
    save(one, tmp_path / "c.json")
    assert load(tmp_path / "c.json") == one
    for change, says in (
        ({"format": "x"}, "format"),
        ({"width_m": "wide"}, "no number"),
        ({"corners_px": {"near left": [1, 2]}}, "'near right' is missing"),
    ):
        said = {**json.loads((tmp_path / "c.json").read_text()), **change}
        with pytest.raises(BadInput, match=says):
            from_json(said)


def test_another_size_of_the_picture_is_scaled_and_another_shape_refused() -> None:
    one = made()
    half = one.scaled((960, 540))
    np.testing.assert_allclose(
        half.ground(np.array([[480.0, 400.0]])), one.ground(np.array([[960.0, 800.0]]))
    )
    with pytest.raises(BadInput, match="another camera"):
        one.scaled((1000, 1000))


def test_the_grid_stays_on_the_rectangle() -> None:
    one = made()
    ends = np.concatenate(grid(one, 4))
    ground = one.ground(ends)
    assert (ground > -1e-6).all() and (ground < np.array([7, 40]) + 1e-6).all()
    with pytest.raises(BadInput, match="cells"):
        grid(made(width_m=0.01), 4)


def picture(folder: Path) -> Path:
    (folder / "frame.png").write_bytes(encode_png(np.full((108, 192, 3), 90, np.uint8)))
    return folder / "frame.png"


def test_six_options_make_the_file_without_a_page(tmp_path: Path) -> None:
    params = CalibrateParams(
        frame=picture(tmp_path), output=tmp_path / "c.json", near_left="30,90", near_right="150,88",
        far_right="110,30", far_left="80,31", width_m=7, length_m=40, grid=tmp_path / "grid.png",
        point=("90,50=3.3,20",),
    )  # fmt: skip
    report = run(params)
    assert report.saved and report.points == 5 and report.error_px is not None
    assert load(tmp_path / "c.json").frame_px == (192, 108)
    assert (tmp_path / "grid.png").stat().st_size > 100


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"far_left": ""}, "--far-left is missing"),
        ({"far_left": "12"}, "far-left: expected x,y, got '12'"),
        ({"point": ("1,2",)}, "point: expected x,y=X,Y"),
        ({"width_m": 0.0}, "above 0"),
    ],
)
def test_options_that_make_no_rectangle_leave_no_file(tmp_path: Path, other: dict, says: str) -> None:
    given = {
        "near_left": "30,90", "near_right": "150,88", "far_right": "110,30", "far_left": "80,31",
        "width_m": 7.0, "length_m": 40.0,
    }  # fmt: skip
    with pytest.raises(BadInput, match=says):
        run(CalibrateParams(frame=picture(tmp_path), output=tmp_path / "c.json", **{**given, **other}))
    assert not (tmp_path / "c.json").exists()
