"""The search page: a picture in, answers out, feedback that counts; keyboard, camera, phone."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Page, expect
from tests.search.made import make_table, paint, see

from okulo.io.images import encode_png
from okulo.search import index as indexes
from okulo.search.build import IndexParams, run
from okulo.search.feedback import read_pairs
from okulo.web.guard import Guard
from okulo.web.search.app import make_app
from okulo.web.search.site import Site
from okulo.web.server import bind
from okulo.web.thumbnails import Thumbnails

PHONE = {"width": 390, "height": 844}
NAMELESS = """() => [...document.querySelectorAll('button, input, select, [role=group]')]
  .filter((each) => !(each.labels?.length || each.innerText || each.ariaLabel))
  .map((each) => each.outerHTML)"""


class Served:
    """The page over 24 small pictures, from a thread of this process."""

    def __init__(self, folder: Path) -> None:
        self.index = folder / "marks.index"
        run(IndexParams(items=make_table(folder), model="descriptor", output=self.index), see)
        thumbnails = Thumbnails(folder, folder / "cache", max_bytes=1 << 24)
        self.site = Site(self.index, see(), thumbnails, "ann", see(crop="object"))
        self.listener = bind("127.0.0.1", 0)
        port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        guard = Guard(make_app(self.site), True, "", port)
        config = uvicorn.Config(guard, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.listener.close()
        assert not self.thread.is_alive()

    def ask(self, **said: object) -> httpx.Response:
        return httpx.post(f"{self.url}search", json=said, timeout=30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("marks"))
    yield made
    made.stop()


def photo(colour: str = "green", seed: int = 99) -> str:
    return base64.b64encode(encode_png(paint(colour, seed))).decode()


def test_the_api_answers_a_picture(served: Served) -> None:
    said = served.ask(picture=photo(), k=5).json()
    assert len(said["results"]) == 5
    assert said["results"][0]["label"] == "green"
    assert said["results"][0]["score"] >= said["results"][1]["score"]
    assert {"row", "score", "path", "label", "split"} <= said["results"][0].keys()
    assert said["ms"]["search"] > 0
    again = served.ask(query=said["query"], k=5, only={"split": "test"}).json()
    assert {each["split"] for each in again["results"]} == {"test"}
    like = served.ask(item=said["results"][0]["row"], k=30).json()
    assert said["results"][0]["row"] not in [each["row"] for each in like["results"]]
    assert len(like["results"]) == 23


def test_feedback_counts_at_once(served: Served) -> None:
    first = served.ask(picture=photo("green", 3), k=24).json()
    reds = [each["row"] for each in first["results"] if each["label"] == "red"]
    blues = [each["row"] for each in first["results"] if each["label"] == "blue"]
    moved = served.ask(query=first["query"], k=24, good=reds, bad=blues).json()
    rows = [each["row"] for each in moved["results"]]
    assert not set(blues) & set(rows)
    before = {each["row"]: place for place, each in enumerate(first["results"])}
    assert sum(rows.index(row) for row in reds) < sum(before[row] for row in reds)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({}, "expected one of picture, item, query, got none"),
        ({"picture": "%%%"}, "picture: is no base64"),
        ({"picture": 5}, "expected base64 text, got int"),
        ({"picture": base64.b64encode(b"no picture").decode()}, "no picture format"),
        ({"item": 999}, "item: expected rows of the index"),
        ({"item": True}, "item: expected rows of the index"),
        ({"query": "never seen"}, "is not remembered any more"),
        ({"item": 0, "k": 0}, "k: expected a whole number from 1 to 500"),
        ({"item": 0, "k": 1e9}, "k: expected a whole number"),
        ({"item": 0, "where": "read_csv('/etc/passwd')"}, "the table has no column read_csv"),
        ({"item": 0, "only": {"nobody": "x"}}, "only: expected columns of the index"),
        ({"item": 0, "expand": "best"}, "expand: expected one of"),
        ({"item": 0, "rerank": "yes"}, "rerank: expected true or false"),
        ({"picture": photo(), "main": 1}, "main: expected true or false"),
        ({"item": 0, "good": "all"}, "good: expected a list"),
        ({"picture": photo(), "box": [0.5, 0, 0.2, 1]}, "box: expected"),
        ({"item": 0, "colour": "red"}, "colour: is no field of a search"),
    ],
)
def test_bad_questions_are_said(served: Served, said: dict[str, object], problem: str) -> None:
    answer = served.ask(**said)
    assert answer.status_code == 400
    assert problem in answer.json()["error"]


def test_hostile_values_find_nothing_and_break_nothing(served: Served) -> None:
    answer = served.ask(item=0, only={"label": "x' OR '1' = '1"})
    assert answer.json()["results"] == []
    assert (
        httpx.post(
            f"{served.url}search", content=b"[1]", headers={"content-type": "application/json"}
        ).status_code
        == 400
    )
    deep = b"[" * 100_000
    assert (
        httpx.post(
            f"{served.url}search", content=deep, headers={"content-type": "application/json"}
        ).status_code
        == 400
    )
    assert (
        httpx.post(f"{served.url}search", content=b"{}", headers={"content-type": "text/plain"}).status_code
        == 403
    )
    other = httpx.post(f"{served.url}search", json={"item": 0}, headers={"origin": "http://evil.example"})
    assert other.status_code == 403
    assert httpx.get(f"{served.url}picture/999/256").status_code == 404


def test_it_sees_changes_of_the_index(tmp_path: Path) -> None:
    made = Served(tmp_path)
    try:
        best = made.ask(picture=photo("red", 0), k=1).json()["results"][0]
        indexes.remove(made.index, [best["path"]])
        assert made.ask(picture=photo("red", 0), k=1).json()["results"][0]["row"] != best["row"]
        (tmp_path / "p/red-3.png").unlink()
        gone = httpx.get(f"{made.url}picture/3/256")
        assert gone.headers["x-problem"] == "the file is gone"
    finally:
        made.stop()


OpenPage = Callable[..., Page]


@pytest.fixture
def search_page(open_page: OpenPage, served: Served) -> Callable[..., Page]:
    def open_it(**options: object) -> Page:
        page = open_page(url=served.url, **options)
        expect(page.locator("#name")).to_have_text("marks.index")
        return page

    return open_it


def give(page: Page, colour: str = "green", seed: int = 99) -> None:
    file = {"name": "mine.png", "mimeType": "image/png", "buffer": encode_png(paint(colour, seed))}
    page.locator("#file").set_input_files(file)
    expect(page.locator("#said")).to_contain_text("found in")


def labels(page: Page) -> list[str]:
    return [text.split("\n")[-1] for text in page.locator(".result .about").all_inner_texts()]


def test_a_picture_is_looked_for_and_filtered(search_page: Callable[..., Page]) -> None:
    page = search_page()
    give(page)
    expect(page.locator(".result")).to_have_count(24)
    assert labels(page)[0].startswith("green")
    page.get_by_label("label", exact=True).select_option("blue")
    expect(page.locator(".result")).to_have_count(8)
    page.get_by_label("Condition").fill("split = 'test'")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".result")).to_have_count(2)
    assert page.evaluate(NAMELESS) == []


def test_a_wrong_condition_is_said(search_page: Callable[..., Page]) -> None:
    page = search_page(errors_allowed=True)
    give(page)
    page.get_by_label("Condition").fill("nobody = 1")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#problem")).to_contain_text("the table has no column nobody")


def test_feedback_is_kept_and_by_keyboard(search_page: Callable[..., Page], served: Served) -> None:
    page = search_page()
    give(page, "blue", 77)
    page.locator(".result .open").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    expect(page.locator(".result.good")).to_have_count(1)
    expect(page.locator("#said")).to_contain_text("moved by what you said")
    page.locator(".result .open").last.focus()
    page.keyboard.press("n")
    expect(page.locator(".result")).to_have_count(23)
    pairs = read_pairs(served.index)
    assert sorted(pairs["relevant"].to_list()) == [False, True]
    assert set(pairs["who"]) == {"ann"}
    assert (served.index.parent / pairs["query"][0]).is_file()
    page.get_by_role("button", name="Forget what I said").click()
    expect(page.locator(".result")).to_have_count(24)
    page.locator(".result .open").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#what")).to_contain_text("p/")
    expect(page.locator(".result")).to_have_count(23)


def test_a_box_is_drawn_and_moved(search_page: Callable[..., Page]) -> None:
    page = search_page()
    give(page)
    frame = page.locator("#frame").bounding_box()
    assert frame is not None
    page.mouse.move(frame["x"] + 10, frame["y"] + 10)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2, steps=4)
    with page.expect_request("**/search") as asked:
        page.mouse.up()
    box = json.loads(asked.value.post_data or "")["box"]
    assert 0 < box[0] < 0.3
    assert 0.4 < box[2] < 0.6
    page.locator("#box").focus()
    with page.expect_request("**/search") as asked:
        page.keyboard.press("ArrowRight")
    assert json.loads(asked.value.post_data or "")["box"][0] == pytest.approx(box[0] + 0.02, abs=2e-3)
    with page.expect_request("**/search") as asked:
        page.get_by_role("button", name="Whole picture").click()
    assert "box" not in json.loads(asked.value.post_data or "")


def test_only_what_stands_out_is_looked_for(search_page: Callable[..., Page], served: Served) -> None:
    page = search_page()
    give(page)
    with page.expect_request("**/search") as asked:
        page.get_by_label("Only what stands out").check()
    assert json.loads(asked.value.post_data or "")["main"] is True
    expect(page.locator(".result")).to_have_count(24)
    scene = np.full((120, 160, 3), 255, np.uint8)
    scene[10:58, 100:148] = paint("red", 3)
    text = base64.b64encode(encode_png(scene)).decode()
    whole, main = (served.ask(picture=text, main=each, k=1).json() for each in (False, True))
    assert main["results"][0]["score"] > whole["results"][0]["score"] + 0.05
    assert main["query"] != whole["query"]
    served.site.main, kept = None, served.site.main
    assert "cannot be found with this index" in served.ask(picture=text, main=True).json()["error"]
    served.site.main = kept


def test_the_camera_takes_a_picture(search_page: Callable[..., Page]) -> None:
    page = search_page()
    page.get_by_role("button", name="Camera").click()
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("#what")).to_have_text("photo.png")
    expect(page.locator(".result")).to_have_count(24)


def test_it_fits_a_phone(search_page: Callable[..., Page]) -> None:
    page = search_page(viewport=PHONE)
    give(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator(".votes button").first.bounding_box()["height"] >= 44  # type: ignore[index]


def test_paste_and_drop(search_page: Callable[..., Page]) -> None:
    page = search_page()
    for event in ("paste", "drop"):
        page.evaluate(
            """([event, text]) => {
              const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
              const data = new DataTransfer()
              data.items.add(new File([bytes], `${event}.png`, { type: 'image/png' }))
              document.dispatchEvent(event === 'paste'
                ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true })
                : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
            }""",
            [event, photo()],
        )
        expect(page.locator("#what")).to_have_text(f"{event}.png")
        expect(page.locator(".result")).to_have_count(24)
