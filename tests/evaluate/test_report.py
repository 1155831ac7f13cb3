"""The page: needs nothing else, escapes what is hostile, and draws 2 to 200 classes."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from okulo.core.model import Threshold
from okulo.evaluate.measure import EvaluateParams, run

from .planted import Oracle, about, planted

HOSTILE = (
    '<script>alert("1")</script>',
    "a&b'\"><img src=x onerror=alert(2)>",
    "{{ 7*7 }}",
    "</title></svg><b>",
)


class Seen(HTMLParser):
    """Counts tags, and checks that what is opened is closed."""

    VOID = ("meta", "img", "input", "br")

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.attributes = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page_of(folder, classes, n=120, **more):
    items = planted(folder / "data", classes, n, signal=1.5)
    params = EvaluateParams(
        model=Path("m.onnx"), items=items.root / "items.parquet", output=folder / "out", split="all"
    )
    report = run(params, Oracle(len(classes)), about(classes, **more))
    return report.page.read_text()


def test_hostile_names_do_nothing(tmp_path):
    text = page_of(tmp_path, HOSTILE, threshold=Threshold(value=0.5, how="<b>by hand</b>"), licence="<i>")
    seen = Seen()
    seen.feed(text)
    assert seen.open == []
    assert seen.tags.count("script") == 2  # the data and the page's own
    assert seen.tags.count("b") == len(re.findall(r"<b[ >]", text))
    assert "<script>alert" not in text and "<img src=x" not in text and "<b>by hand" not in text
    assert "49" not in re.findall(r'class="name" title="([^"]*)"', text)
    assert not any(name.startswith("on") for name, _ in seen.attributes)


def test_it_needs_nothing_else(tmp_path):
    text = page_of(tmp_path, ("ant", "bee"))
    seen = Seen()
    seen.feed(text)
    sources = [value for name, value in seen.attributes if name in ("src", "href")]
    assert sources and all(value.startswith("data:image/jpeg;base64,") for value in sources)
    assert "http://" not in text and "https://" not in text and "url(" not in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize("k", [2, 12, 13, 43, 100, 200])
def test_any_number_of_classes_is_drawn(tmp_path, k):
    text = page_of(tmp_path, [f"class {i:03}" for i in range(k)], n=max(120, k))
    assert text.count('class="matrix"') == (k <= 150)
    assert "Most frequent confusions" in text
    assert len(text) < 600_000


def test_the_same_data_gives_the_same_page(tmp_path):
    first = page_of(tmp_path / "a", ("ant", "bee"))
    second = page_of(tmp_path / "b", ("ant", "bee"))
    assert first.replace(str(tmp_path / "a"), "") == second.replace(str(tmp_path / "b"), "")
