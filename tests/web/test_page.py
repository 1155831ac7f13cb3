"""The page as people use it: mouse, keyboard, phone, dark, webcam, and when something is wrong."""

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import FileChooser, Page, expect

from okulo.web import pages

from .conftest import OpenPage
from .reading import answered, give, ready, results
from .small_model import sample_files
from .stand_in import StandIn, serve

PICTURES = sample_files(2)
PHONE = {"width": 390, "height": 844}


def camera_on(page: Page, where: str) -> None:
    """Wait until frames are answered there, and the page says how many a second."""
    expect(page.locator("#live-numbers")).to_have_text(re.compile(rf"\d+ fps, .* {where}"), timeout=20_000)


def test_the_webcam_is_answered_and_can_switch_place_while_it_runs(open_page: OpenPage) -> None:
    page = open_page("#model=sorts")
    ready(page)
    page.get_by_role("button", name="Use the webcam").click()
    camera_on(page, "on the server")
    on_server = page.locator("#live-label").inner_text()
    page.get_by_role("radio", name="In this browser").check()
    camera_on(page, "in this browser")
    expect(page.locator("#live-label")).to_have_text(on_server)  # the fake camera hardly changes
    assert page.evaluate("crossOriginIsolated")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live")).to_be_hidden()
    assert page.evaluate("document.getElementById('video').srcObject === null")
    expect(page.get_by_role("button", name="Use the webcam")).to_be_focused()


def test_in_the_browser_no_picture_leaves_the_page(open_page: OpenPage, stand_in: StandIn) -> None:
    page = open_page("#model=clipart&in=browser")
    ready(page)
    before = stand_in.asked
    give(page, PICTURES)
    assert all(each["error"] is None for each in results(page))
    assert stand_in.asked == before
    expect(page.locator("#where-hint")).to_contain_text("stay on this device")


def test_another_model_asks_for_all_pictures_anew(open_page: OpenPage) -> None:
    page = open_page()
    ready(page)
    give(page, PICTURES)
    first = results(page)
    page.get_by_label("Model", exact=True).select_option("sorts")
    answered(page)
    assert [each["name"] for each in first] == [each["name"] for each in results(page)]
    assert first != results(page)
    assert "model=sorts" in page.url and "in=server" in page.url


def test_it_can_all_be_done_with_the_keyboard(open_page: OpenPage) -> None:
    page = open_page("#model=clipart")
    choosers: list[FileChooser] = []
    # Listened for from the start: on a busy machine that takes a while to begin.
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    ready(page)
    seen = []
    for _ in range(4):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id"))
        ring = page.evaluate(
            """() => [document.activeElement, document.activeElement.nextElementSibling].some(
              (each) => each && parseFloat(getComputedStyle(each).outlineWidth) >= 2)"""
        )
        assert ring, f"{seen[-1]} does not show that it has the focus"
    assert seen == ["model", "on-server", "choose", "start-camera"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    while not choosers:
        page.wait_for_timeout(50)
    choosers[0].set_files([{"name": n, "mimeType": "image/png", "buffer": d} for n, d in PICTURES[:1]])
    answered(page)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="In this browser")).to_be_checked()
    answered(page)
    assert [each["place"] for each in results(page)] == ["browser"]
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    camera_on(page, "in this browser")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()


def test_everything_has_a_name_and_news_are_told(open_page: OpenPage) -> None:
    page = open_page("#model=clipart")
    ready(page)
    expect(page.get_by_label("Model", exact=True)).to_be_visible()
    expect(page.get_by_role("group", name="Where it runs")).to_be_visible()
    give(page, PICTURES[:1])
    label = page.locator(".answer .label").inner_text()
    expect(page.get_by_role("status")).to_have_text(label)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, [role]')].filter((each) => !(
          each.labels?.length || each.innerText || each.ariaLabel || ['status', 'alert'].includes(each.role)
        )).map((each) => each.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("img:not([alt])").count() == 0
    assert page.evaluate("document.documentElement.lang") == "en"


CONTRAST = """() => {
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0)
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number)
  const under = (each) => {
    for (; each; each = each.parentElement) {
      const colour = numbers(getComputedStyle(each).backgroundColor)
      if (colour.length < 4 || colour[3] > 0) return colour
    }
    return [255, 255, 255]
  }
  const worst = []
  for (const each of document.querySelectorAll('body *')) {
    const own = [...each.childNodes].some((child) => child.nodeType === 3 && child.data.trim())
    if (!own || !each.checkVisibility() || each.closest('.unseen, noscript')) continue
    const [a, b] = [light(numbers(getComputedStyle(each).color)), light(under(each))].sort((x, y) => y - x)
    worst.push([(a + 0.05) / (b + 0.05), each.outerHTML.slice(0, 100)])
  }
  return worst.sort((x, y) => x[0] - y[0])[0]
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_light_and_dark(open_page: OpenPage, scheme: str) -> None:
    page = open_page("#model=clipart", color_scheme=scheme, errors_allowed=True)
    ready(page)
    give(page, [*PICTURES, ("broken.png", b"no picture")])
    page.get_by_role("button", name="Use the webcam").click()
    camera_on(page, "on the server")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", ground)[0]) < 60) == (scheme == "dark")
    ratio, where = page.evaluate(CONTRAST)
    assert ratio >= 4.5, where


def test_it_fits_a_phone_and_a_thumb(open_page: OpenPage) -> None:
    page = open_page("#model=clipart", viewport=PHONE, has_touch=True, is_mobile=True)
    ready(page)
    name = "a-very-long-name-without-any-space-" * 4 + ".png"
    give(page, [*PICTURES, (name, PICTURES[0][1])])
    page.get_by_role("button", name="Use the webcam").tap()
    camera_on(page, "on the server")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for each in page.locator("button:visible, select:visible, .choice label").all():
        box = each.bounding_box()
        assert box is not None and box["height"] >= 40 and box["width"] >= 44, each.inner_text()


DROP = """([how, files]) => {
  const all = new DataTransfer()
  for (const [name, type, text] of files) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
    all.items.add(new File([bytes], name, {type}))
  }
  const event = how === 'drop' ? new DragEvent('drop', {dataTransfer: all, bubbles: true, cancelable: true})
    : new ClipboardEvent('paste', {clipboardData: all, bubbles: true})
  document.getElementById('drop').dispatchEvent(event)
}"""


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_pictures_can_be_dropped_and_pasted(open_page: OpenPage, how: str) -> None:
    from base64 import b64encode

    page = open_page("#model=clipart")
    ready(page)
    files = [(name, "image/png", b64encode(data).decode()) for name, data in PICTURES[:3]]
    page.evaluate(DROP, [how, [*files, ("notes.txt", "text/plain", "YQ==")]])
    answered(page)
    assert [each["name"] for each in results(page)] == [name for name, _, _ in files]
    expect(page.get_by_role("alert")).to_have_text("1 of 4 files are no pictures.")


def test_answers_can_be_saved_and_cleared(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("#model=clipart", errors_allowed=True)
    ready(page)
    give(page, [*PICTURES, ('quo"te,.png', b"broken")])
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    download.value.save_as(tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, result in zip(rows, results(page)):
        answer = result.get("answer")
        if answer is None:
            assert row["file"] == 'quo"te,.png' and row["error"] and row["pred"] == ""
            continue
        assert row["pred"] == ("" if answer["dontKnow"] else answer["best"])  # type: ignore[index]
        assert float(row["p_tool"]) == pytest.approx(answer["probabilities"][4])  # type: ignore[index]
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#gallery")).to_be_hidden()


def test_a_busy_server_is_asked_again(open_page: OpenPage, stand_in: StandIn) -> None:
    page = open_page("#model=clipart", errors_allowed=True)
    ready(page)
    stand_in.refuse_next[:] = [429, 503]
    give(page, PICTURES[:1])
    assert results(page)[0]["error"] is None
    assert stand_in.refuse_next == []


def test_a_server_with_a_key_is_unlocked_on_the_page(open_page: OpenPage, models: dict[str, Path]) -> None:
    locked = StandIn(models, key="sesam ä")
    server, thread, url = serve(locked.app())
    page = open_page("#model=clipart&in=browser", url=url, errors_allowed=True)
    field = page.get_by_label("This server asks for an API key")
    expect(field).to_be_focused()
    field.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That key is wrong.")
    expect(page.locator("#work")).to_be_hidden()
    field.fill("sesam ä")
    page.keyboard.press("Enter")
    ready(page)
    give(page, PICTURES[:1])
    page.get_by_role("radio", name="On the server").check()
    answered(page)
    assert results(page)[0]["error"] is None
    page.close()
    server.should_exit = True
    thread.join(10)


def test_without_the_engine_the_page_says_what_to_do(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pages, "ENGINE", tmp_path)
    page = open_page("#model=clipart&in=browser")
    ready(page)
    expect(page.get_by_role("radio", name="In this browser")).to_be_disabled()
    expect(page.locator("#notes")).to_contain_text("make web")
    give(page, PICTURES[:1])
    assert results(page)[0]["place"] == "server"


def test_a_camera_that_is_missing_or_forbidden_is_said(open_page: OpenPage) -> None:
    page = open_page("#model=clipart")
    ready(page)
    for name, said in [("NotAllowedError", "was not allowed"), ("NotFoundError", "no camera")]:
        page.evaluate(
            """(name) => navigator.mediaDevices.getUserMedia = () =>
              Promise.reject(new DOMException('x', name))""",
            name,
        )
        page.get_by_role("button", name="Use the webcam").click()
        expect(page.get_by_role("alert")).to_contain_text(said)
        expect(page.locator("#live")).to_be_hidden()


def test_an_engine_that_breaks_is_replaced(open_page: OpenPage) -> None:
    """One failed picture (for want of memory, say) must not end all others."""
    page = open_page("#model=clipart&in=browser")
    ready(page)
    give(page, PICTURES[:2])
    page.evaluate(
        """async () => {
          const {PLACES, state} = await import('./static/ask/page.js')
          const broken = {...state.model, file: 'static/style.css'}
          await PLACES.browser.ask(broken, new Blob(['x'])).catch(() => {})
        }"""
    )
    give(page, PICTURES[2:4])
    assert [each["error"] for each in results(page)] == [None] * 4
