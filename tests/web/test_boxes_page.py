"""A detector on the page: boxes lie where the model file says, for pictures and live, server and browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from tests.detectors import CLASSES, write_detector

from okulo.io.images import encode_png
from okulo.runtime.modelfile import load
from okulo.serve.app import make_app
from okulo.serve.service import Service
from okulo.web.beside import beside
from okulo.web.pages import make_pages

from .conftest import OpenPage
from .reading import give, ready
from .stand_in import serve

BOXES = """(where) => [...document.querySelector(where).querySelectorAll('rect')].map((each) =>
  ['x', 'y', 'width', 'height'].map((name) => Number(each.getAttribute(name))))"""


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_detector(tmp_path_factory.mktemp("detector"), threshold=0.4)


@pytest.fixture(scope="module")
def server(engine: None, detector: Path) -> Iterator[str]:
    service = Service([str(detector)])
    service.open()
    pages = make_pages(lambda: {name: (each.path, each.info) for name, each in service.newest.items()})
    running, thread, url = serve(beside(make_app(service), lambda: pages))
    yield url
    running.should_exit = True
    thread.join(10)
    service.close(5)


def drawn(page: Page, where: str) -> np.ndarray:
    """The boxes on the page as xyxy, in the order they were drawn (the surest last)."""
    xywh = np.array(page.evaluate(BOXES, where), float).reshape(-1, 4)
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)


@pytest.mark.parametrize("place", ["server", "browser"])
def test_boxes_of_a_picture_are_drawn_where_the_model_says(
    open_page: OpenPage, server: str, detector: Path, place: str
) -> None:
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    wanted = load(detector).predict([image])[0]
    assert len(wanted["boxes"]) > 3
    page = open_page(f"#in={place}", url=server)
    ready(page)
    give(page, [("a.png", encode_png(image))])
    expect(page.locator(".answer svg.boxes")).to_be_visible()
    assert page.locator(".answer svg.boxes").get_attribute("viewBox") == "0 0 80 60"
    found = drawn(page, ".answer svg.boxes")
    np.testing.assert_allclose(found[::-1], wanted["boxes"], atol=0.01)
    said = page.locator(".answer svg.boxes text").all_text_contents()[::-1]
    scores = [f"{CLASSES[k]} {round(s * 100)} %" for k, s in zip(wanted["labels"], wanted["scores"].tolist())]
    assert [each.split()[0] for each in said] == [each.split()[0] for each in scores]


def test_boxes_are_drawn_live_and_go_when_the_camera_stops(open_page: OpenPage, server: str) -> None:
    page = open_page("", url=server)
    ready(page)
    page.get_by_role("button", name="Use the webcam").click()
    over = page.locator("#live-figure svg.boxes")
    expect(over.locator("rect").first).to_be_visible()
    assert re.fullmatch(r"0 0 640 480", over.get_attribute("viewBox") or "")
    found = drawn(page, "#live-figure svg.boxes")
    assert (found >= 0).all() and (found[:, 2] <= 640).all() and (found[:, 3] <= 480).all()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live-figure svg.boxes rect:visible")).to_have_count(0)
