"""The calibration page as people use it: corners dragged, sizes typed, the grid drawn at once, saved."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from okulo.apps.speed.calibrate import CalibrateParams, desk
from okulo.apps.speed.calibration import load
from okulo.apps.speed.render import empty_road
from okulo.apps.speed.simulate import Camera, Traffic
from okulo.io.images import encode_png
from okulo.web.calibrate.app import make_app
from okulo.web.guard import Guard
from okulo.web.server import bind

CAMERA = Camera(frame_px=(960, 540), focal_px=750)
ROAD = {"near_m": 30.0, "length_m": 60.0, "width_m": 7.0}
NAMES = ("near left", "near right", "far right", "far left")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The page over a drawn road; gives its address and the file it saves."""
    image = empty_road(CAMERA, Traffic(), np.random.default_rng(0))
    file = tmp_path / "c.json"
    work = desk(CalibrateParams(frame=Path("frame.png"), output=file), image, "frame")
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        app = Guard(make_app(encode_png(image), work.start, work.check, work.save), True, "", port)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{port}/", file
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def page(chromium: Browser, served: tuple[str, Path]) -> Iterator[Page]:
    problems: list[str] = []
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.on("request", lambda asked: asked.url.startswith(served[0]) or problems.append(asked.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(served[0])
    expect(page.locator("path.grid")).to_have_attribute("d", re.compile("M"))
    yield page
    context.close()
    assert problems == []


def drag(page: Page, name: str, to: tuple[float, float]) -> None:
    """Drag a corner to a pixel of the picture."""
    handle = page.get_by_role("button", name=f"{name}: drag")
    box = handle.bounding_box()
    where = page.evaluate(
        "([x, y]) => { const v = document.querySelector('#view');"
        " const p = new DOMPoint(x, y).matrixTransform(v.getScreenCTM()); return [p.x, p.y] }",
        list(to),
    )
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(*where, steps=4)
    page.mouse.up()


def corners() -> dict[str, tuple[float, float]]:
    true = CAMERA.calibration(np.random.default_rng(0), **ROAD)
    return dict(zip(NAMES, true.corners_px))


def mark(page: Page) -> None:
    for name, at in corners().items():
        drag(page, name, at)
    page.get_by_label("Width left").fill("7")
    page.get_by_label("Length near").fill("60")


def test_four_corners_and_two_sizes_give_the_file(page: Page, served: tuple[str, Path]) -> None:
    mark(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    made, true = load(served[1]), CAMERA.calibration(np.random.default_rng(0), **ROAD)
    assert (made.width_m, made.length_m) == (7, 60)
    np.testing.assert_allclose(made.corners_px, true.corners_px, atol=1.5)
    there = CAMERA.picture(np.array([[5.0, 35.0, 0.0], [5.0, 65.0, 0.0]]))
    assert np.linalg.norm(np.diff(made.ground(there), axis=0)) == pytest.approx(30, rel=0.02)


def test_the_grid_follows_what_is_typed(page: Page) -> None:
    mark(page)
    lines = page.locator("path.grid")
    page.get_by_label("Grid cells").fill("3")
    expect(page.locator("#fit")).to_contain_text("m")
    expect(lines).to_have_attribute("d", re.compile(r"^(M[^M]*){31}$"))
    page.get_by_label("along").select_option("y")
    expect(lines).to_have_attribute("d", re.compile(r"^(M[^M]*){6}$"))


def test_crossed_corners_are_said_and_cannot_be_saved(page: Page) -> None:
    mark(page)
    at = corners()
    drag(page, "near left", at["near right"])
    drag(page, "near right", at["near left"])
    expect(page.get_by_role("alert")).to_contain_text("cross")
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    page.get_by_label("Width left").fill("0")
    drag(page, "near left", at["near left"])
    drag(page, "near right", at["near right"])
    expect(page.get_by_role("alert")).to_contain_text("above 0")
    page.get_by_label("Width left").fill("7")
    expect(page.get_by_role("button", name="Save")).to_be_enabled()


def test_corners_move_by_keys_and_known_points_show_their_error(page: Page, served: tuple[str, Path]) -> None:
    mark(page)
    corner = page.get_by_role("button", name="near left: drag")
    before = float(corner.get_attribute("cx") or 0)
    corner.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    assert float(corner.get_attribute("cx") or 0) == pytest.approx(before - 9)
    page.get_by_role("button", name="Add a point").click()
    seen = CAMERA.picture(np.array([[5.0, 50.0, 0.0]]))[0]
    drag(page, "point 1", (float(seen[0]), float(seen[1])))
    page.get_by_label("point 1: metres from the left").fill("5")
    page.get_by_label("point 1: metres from the near side").fill("20")
    expect(page.locator("#fit")).to_contain_text("points lie off by")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    assert len(load(served[1]).more) == 1
    page.reload()  # begins with what was saved
    expect(page.get_by_label("Width left")).to_have_value("7")
