"""The review page as people use it: verdicts by keyboard, two at once, kill -9, groups, map, search."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from okulo.curate import apply

from .review_site import HOSTILE, Review, make_large, make_table, reviewed_here
from .test_page import CONTRAST

PHONE = {"width": 390, "height": 844}
OpenReview = Callable[..., Page]
Serve = Callable[..., Review]
LIT = """() => {
  const c = document.querySelector('canvas')
  return c.getContext('2d').getImageData(0, 0, c.width, c.height).data
    .filter((v, i) => i % 4 == 3 && v).length
}"""
"""How many pixels of the map are painted."""
NAMELESS = """() => [...document.querySelectorAll('button, input, select, [role=listbox], canvas')]
  .filter((each) => !(each.labels?.length || each.innerText || each.ariaLabel))
  .map((each) => each.outerHTML)"""
DRAWN = """() => import('/static/review/page.js').then(({ page }) => {
  page.present.draw()
  return page.present.lastMs
})"""
PAINTED = "() => [...document.querySelectorAll('.tile img')].every((i) => i.complete && i.naturalWidth)"
WRONG = [f"p/{i:03d}.png" for i in (5, 11, 17, 23)]
"""Items whose label is wrong, the surest first."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Review]]:
    """Serve a table; ask for `look_at` after this one, so that pages close before their server does."""
    with ExitStack() as stack:
        yield lambda items, who="ann": stack.enter_context(reviewed_here(items, who=who))


@pytest.fixture
def review(tmp_path: Path, served: Serve) -> Review:
    return served(make_table(tmp_path))


@pytest.fixture
def look_at(chromium: Browser) -> Iterator[OpenReview]:
    """Open the page; at the end it must have asked nobody but its server, and logged no error."""
    problems: list[str] = []
    contexts = []

    def open_it(url: str, fragment: str = "", errors_allowed: bool = False, **options: object) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        allowed = (url.partition("?")[0], "blob:", "data:")
        page.on("request", lambda asked: asked.url.startswith(allowed) or problems.append(asked.url))
        page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
        if not errors_allowed:
            page.on("console", lambda said: said.type == "error" and problems.append(said.text))
        page.goto(url + fragment)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert problems == []


def place(page: Page) -> str:
    return page.locator(".said .place").inner_text()


def shown(page: Page, text: str) -> None:
    expect(page.locator(".said .facts")).to_contain_text(text)


def test_verdicts_by_keyboard_are_stored_with_who_and_what(review: Review, look_at: OpenReview) -> None:
    page = look_at(review.url)
    shown(page, WRONG[0])
    expect(page.locator(".said")).to_contain_text("bird")
    expect(page.get_by_role("button", name="It is dog")).to_be_visible()
    page.keyboard.press("s")  # the suggested class
    shown(page, WRONG[1])
    page.keyboard.press("k")  # keep
    shown(page, WRONG[2])
    page.keyboard.press("o")  # another one
    page.keyboard.type("ca")
    expect(page.locator(".classes li").first).to_have_text("cat")
    page.keyboard.press("Enter")
    shown(page, WRONG[3])
    page.keyboard.press("Space")  # skip
    expect(page.locator(".count")).to_have_text("3 of 8 decided, 1 skipped")
    assert review.wait_for(4) == [
        (WRONG[0], "label", "change", "dog", "ann"),
        (WRONG[1], "label", "keep", "", "ann"),
        (WRONG[2], "label", "change", "cat", "ann"),
        (WRONG[3], "label", "skip", "", "ann"),
    ]
    page.reload()  # what is decided is not asked again
    shown(page, 'p/a"b <b>&.png')
    page.get_by_label("State").select_option("decided")
    expect(page.locator(".verdict")).to_contain_text("✓ dog by ann")


def test_verdicts_end_up_in_the_table_through_apply(review: Review, look_at: OpenReview) -> None:
    page = look_at(review.url)
    shown(page, WRONG[0])
    page.keyboard.press("s")
    page.keyboard.press("r")  # take it out of the data
    review.wait_for(2)
    page.goto(f"{review.url}#groups")
    expect(page.locator(".member")).to_have_count(2)
    page.keyboard.press("Enter")
    review.wait_for(4)
    new = review.items.with_name("new.parquet")
    apply.run(apply.ApplyParams(items=review.items, verdicts=str(review.verdicts), output=new))
    labels = dict(pl.read_parquet(new).select("path", "label").rows())
    assert labels[WRONG[0]] == "dog" and WRONG[1] not in labels
    assert "p/003.png" in labels and "p/004.png" not in labels


def test_undo_goes_back_and_shows_what_is_open_again(review: Review, look_at: OpenReview) -> None:
    page = look_at(review.url)
    shown(page, WRONG[0])
    page.keyboard.press("s")
    shown(page, WRONG[1])
    page.keyboard.press("s")
    shown(page, WRONG[2])
    page.keyboard.press("u")
    shown(page, WRONG[1])
    expect(page.locator(".verdict")).to_have_count(0)
    page.keyboard.press("Control+z")
    shown(page, WRONG[0])
    assert review.wait_for(0) == []
    page.keyboard.press("u")
    expect(page.locator("#toast")).to_contain_text("nothing of yours")
    page.keyboard.press("k")
    assert review.wait_for(1) == [(WRONG[0], "label", "keep", "", "ann")]


def test_two_people_at_once_lose_nothing(review: Review, look_at: OpenReview) -> None:
    ann, bob = look_at(review.url), look_at(review.url, errors_allowed=True)
    for page in (ann, bob):
        shown(page, WRONG[0])
    bob.evaluate("import('/static/review/verdicts.js').then((m) => { m.verdicts.who = 'bob' })")
    ann.keyboard.press("s")
    assert len(review.wait_for(1)) == 1
    bob.keyboard.press("k")
    expect(bob.locator("#toast")).to_contain_text("ann was quicker: dog")
    bob.get_by_role("button", name="Look at it").click()
    expect(bob.locator(".verdict")).to_contain_text("✓ dog by ann")
    assert review.held() == [(WRONG[0], "label", "change", "dog", "ann")]
    bob.locator("body").press("k")  # having seen it, bob may say otherwise
    shown(bob, WRONG[1])
    assert [each[2:] for each in review.wait_for(1, "bob")] == [("keep", "", "bob")]
    assert len(review.held()) == 1
    ann.keyboard.press("s")  # on the second; bob's page learns of it by itself
    expect(bob.locator("#others")).to_contain_text("ann decided on")
    expect(bob.locator(".verdict")).to_contain_text("✓ dog by ann")


def test_kill_9_loses_nothing_and_what_waited_is_sent_later(tmp_path: Path, look_at: OpenReview) -> None:
    review = Review(make_table(tmp_path), ("--who", "ann")).start()
    try:
        page = look_at(review.url, errors_allowed=True)
        shown(page, WRONG[0])
        page.keyboard.press("s")
        page.keyboard.press("s")
        review.wait_for(2)
        review.stop(signal.SIGKILL)
        shown(page, WRONG[2])
        page.keyboard.press("k")  # nobody answers
        expect(page.locator("#problem")).to_contain_text("1 of your steps wait")
        review.start()
        held = review.wait_for(3)
        assert [each[:3] for each in held] == [
            (WRONG[0], "label", "change"), (WRONG[1], "label", "change"), (WRONG[2], "label", "keep"),
        ]  # fmt: skip
        expect(page.locator("#problem")).to_be_hidden()
        page.reload()
        shown(page, WRONG[3])
    finally:
        code, said = review.stop()
    assert code == 0 and "3 verdicts on labels" in said and "okulo apply" in said


def test_who_decides_is_asked_once(tmp_path: Path, served: Serve, look_at: OpenReview) -> None:
    review = served(make_table(tmp_path), who="")
    page = look_at(review.url)
    shown(page, WRONG[0])
    page.keyboard.press("k")
    page.get_by_label("Your name").fill("Zoë")
    page.keyboard.press("Enter")
    shown(page, WRONG[1])
    page.keyboard.press("k")
    shown(page, WRONG[2])
    assert {each[4] for each in review.wait_for(2)} == {"Zoë"}
    page.reload()
    expect(page.locator("#who")).to_have_text("Zoë")


def test_groups_are_decided_as_a_whole_and_undone_as_a_whole(review: Review, look_at: OpenReview) -> None:
    page = look_at(review.url, "#groups")
    members = page.locator(".member")
    expect(members).to_have_count(2)  # the group in two splits comes first
    expect(page.locator(".group-head")).to_contain_text("in several splits")
    page.keyboard.press("v")
    over = members.nth(1).locator(".over")
    expect(over).to_be_visible()
    expect(over).to_have_js_property("naturalWidth", 96)
    page.keyboard.press("1")
    page.keyboard.press("2")  # keep the second, not the first
    page.keyboard.press("Enter")
    expect(members).to_have_count(3)
    assert {each[:3] for each in review.wait_for(2)} == {
        ("p/003.png", "duplicate", "drop"), ("p/004.png", "duplicate", "keep"),
    }  # fmt: skip
    page.keyboard.press("n")
    assert {each[2] for each in review.wait_for(5)} == {"drop", "keep", "distinct"}
    expect(page.locator(".count")).to_have_text("2 of 2 groups decided")
    page.keyboard.press("u")  # all three of it
    review.wait_for(2)
    page.keyboard.press("u")
    review.wait_for(0)
    expect(page.locator(".group-head")).to_contain_text("Group 1 of 2")
    members.nth(0).focus()
    page.keyboard.press("d")
    expect(members.nth(0).locator(".mark")).to_have_text("not a duplicate")
    page.keyboard.press("Enter")
    expect(page.locator("#toast")).to_contain_text("Mark one to keep")


def test_brushing_the_map_lists_items_to_review(review: Review, look_at: OpenReview) -> None:
    page = look_at(review.url, "#map")
    expect(page.locator(".map > p")).to_contain_text("24 items, 4 without a vector")
    canvas = page.locator("canvas")
    page.wait_for_function("() => document.querySelector('canvas').width > 300")
    lit = page.evaluate(LIT)
    assert 300 < lit < 5000
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 60, box["y"] + box["height"] - 3, steps=4)
    expect(page.locator(".brush")).to_be_visible()
    page.mouse.up()
    expect(page.locator(".map > p")).to_contain_text("24 items chosen")
    expect(page.locator(".map .tile")).not_to_have_count(0)
    page.get_by_role("button", name="Review these").click()
    expect(page.locator(".view .note")).to_contain_text("24 items from the map")
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("k")  # three at once
    assert {each[2] for each in review.wait_for(3)} == {"keep"}


def test_the_map_needs_no_mouse_and_colours_by_what_one_likes(review: Review, look_at: OpenReview) -> None:
    page = look_at(review.url, "#map")
    expect(page.locator(".map > p")).to_contain_text("24 items")
    page.keyboard.press("b")
    expect(page.locator(".map > p")).to_contain_text("24 items chosen")
    page.get_by_label("Coloured by").select_option("split")
    expect(page.locator(".legend")).to_contain_text("val 6")
    page.get_by_role("button", name="val 6").click()  # only those are listed now
    page.get_by_role("button", name="List what is in view").click()
    expect(page.locator(".map > p")).to_contain_text("6 items chosen")
    for _ in range(8):
        page.keyboard.press("+")
    page.keyboard.press("b")
    expect(page.locator(".map > p")).not_to_contain_text("6 items")


def test_search_by_name_and_by_likeness(review: Review, look_at: OpenReview) -> None:
    page = look_at(review.url, "#search")
    expect(page.get_by_label("Name or id")).to_be_focused()
    page.keyboard.type("/003.")
    page.keyboard.press("Enter")
    expect(page.locator(".tile")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".about")).to_contain_text("p/003.png")
    expect(page.locator(".view > p")).to_have_text("The 23 items most like it.")
    expect(page.locator(".tile .second").first).to_have_text(re.compile(r"0\.\d\d alike|1\.00 alike"))
    classes = [page.locator(".tile .first").nth(i).inner_text() for i in range(6)]
    assert classes.count("bird") >= 5
    assert page.url.endswith("#search?row=3")
    page.go_back()
    expect(page.locator(".view > p")).to_have_text("1 item.")
    page.keyboard.press("/")
    page.keyboard.type("no such file")
    page.keyboard.press("Enter")
    expect(page.locator(".view > p")).to_have_text("No name or id holds that.")


def test_hostile_names_gone_files_and_paths_outside_are_only_text(
    review: Review, look_at: OpenReview
) -> None:
    page = look_at(review.url, "#labels?issue=%3Doutlier&view=grid")
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(4)
    expect(tiles.nth(0).locator(".first")).to_have_text(HOSTILE)
    page.wait_for_function(PAINTED)
    assert page.title() == "items.parquet: review"
    assert page.locator("b, .tile img[onerror]").count() == 0
    page.keyboard.press("g")
    expect(page.locator(".said")).to_contain_text(HOSTILE)
    expect(page.locator("#notes")).to_contain_text("One item lies outside")
    page.keyboard.press("o")
    page.keyboard.type('"><script>document.title=2</script>')
    page.keyboard.press("Enter")
    assert review.wait_for(1)[0][3] == '"><script>document.title=2</script>'
    page.goto(review.url + "#map")
    expect(page.locator(".legend")).to_contain_text(HOSTILE)
    assert page.title() == "items.parquet: review"


def test_what_is_missing_says_what_makes_it(tmp_path: Path, served: Serve, look_at: OpenReview) -> None:
    review = served(make_table(tmp_path, audited=False), who="ann")
    page = look_at(review.url)
    expect(page.get_by_text("okulo audit items.parquet")).to_be_visible()
    shown(page, "p/000.png")  # still, labels can be looked through
    for tab, command in [
        ("Duplicates", "okulo dedup"),
        ("Map", "okulo embed"),
        ("Search", "okulo embed"),
    ]:
        page.get_by_role("link", name=tab).click()
        expect(page.get_by_text(command)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_everything_has_a_name(review: Review, look_at: OpenReview, scheme: str) -> None:
    page = look_at(review.url, viewport=PHONE, has_touch=True, is_mobile=True, color_scheme=scheme)
    for tab in ("labels?view=one", "labels?view=grid", "groups", "map", "search?row=3"):
        page.goto(f"{review.url}#{tab}")
        expect(page.locator(".view")).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], tab
        assert page.evaluate(NAMELESS) == []
        assert page.locator("img:not([alt])").count() == 0
        ratio, where = page.evaluate(CONTRAST)
        assert ratio >= 4.5, (tab, where)


def test_a_label_of_several_is_asked_class_by_class(
    tmp_path: Path, served: Serve, look_at: OpenReview
) -> None:
    items = make_table(tmp_path)
    frame = pl.read_parquet(items)
    labels = [[label, "pet"] if label != "bird" else [label] for label in frame["label"]]
    frame.drop("label").with_columns(labels=pl.Series(labels)).write_parquet(items)
    review = served(items, who="ann")
    page = look_at(review.url)
    shown(page, WRONG[0])
    expect(page.get_by_role("button", name="It is dog")).to_be_visible()
    page.keyboard.press("s")
    shown(page, WRONG[1])
    page.keyboard.press("k")
    shown(page, WRONG[2])
    assert [each[1:4] for each in review.wait_for(2)] == [("has", "yes", "dog"), ("has", "no", "dog")]


@pytest.mark.slow
def test_100_000_items_stay_fluid(tmp_path: Path, served: Serve, look_at: OpenReview) -> None:
    review = served(make_large(tmp_path, 100_000))
    page = look_at(review.url, "#labels?view=grid")
    expect(page.locator(".grid")).to_be_focused()
    for key in ("End", "Home", "PageDown", "End"):
        page.keyboard.press(key)
        assert page.locator(".tile").count() < 100
    expect(page.locator(".tile.at")).to_have_attribute("data-place", "99999")
    expect(page.locator(".tile.at .first")).to_contain_text("class")
    page.keyboard.press("k")
    review.wait_for(1)
    page.goto(f"{review.url}#map")
    expect(page.locator(".map > p")).to_contain_text("100,000 items")
    took = sorted(page.evaluate(DRAWN) for _ in range(9))[4]
    print(f"one drawing of 100,000 points: {took:.1f} ms")
    page.keyboard.press("b")
    expect(page.locator(".map > p")).to_contain_text("items chosen")
    assert page.locator(".map .tile").count() < 100
