"""The whole look at a pair, on real drawings and copies of every kind."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from tests.curate.duplicates.pictures import drawings

from okulo.core.protocols import silent
from okulo.curate.duplicates.copies import KINDS, watermark
from okulo.curate.duplicates.evidence import NAMES, measure
from okulo.curate.duplicates.look import look_at
from okulo.curate.duplicates.sketch import Sketch, sketch
from okulo.curate.duplicates.store import SketchStore
from okulo.curate.duplicates.verifier import load_forest, save_forest, verifier
from okulo.io.images import encode_png


def score(a: Sketch, b: Sketch) -> float:
    return float(verifier().score(measure(a, b, float("nan"), True)[None])[0])


@pytest.mark.parametrize("kind", KINDS)
def test_copies_of_every_kind_are_known(kind: str) -> None:
    rng = np.random.default_rng(11)
    found = [score(sketch(image), sketch(KINDS[kind](image, rng))) > 0.5 for image in drawings()]
    assert np.mean(found) >= 0.8


def test_different_drawings_are_not_joined_not_even_by_a_watermark() -> None:
    seen = [sketch(watermark(image)) for image in drawings()]
    assert max(score(a, b) for a, b in combinations(seen, 2)) < 0.5


def test_the_order_of_a_pair_matters_little() -> None:
    rng = np.random.default_rng(0)
    for image in drawings()[:6]:
        a, b = sketch(image), sketch(KINDS["rotate"](image, rng))
        assert (score(a, b) > 0.5) == (score(b, a) > 0.5)


def test_a_sketch_comes_back_from_disk(tmp_path: Path) -> None:
    store = SketchStore(tmp_path, 3)
    seen = sketch(drawings()[1])
    store.put(2, seen)
    back = store.get(2)
    assert (back.whole.small == seen.whole.small).all()
    assert (back.focus.small == seen.focus.small).all()
    assert (back.size, back.box) == (seen.size, seen.box)
    assert (back.at == seen.at).all()
    assert np.abs(back.features - seen.features).max() <= 0.5 / 255 + 1e-6
    assert np.abs(back.focus.thumb - seen.focus.thumb).max() < 1e-3
    assert (back.sharpness, back.pixels) == (pytest.approx(seen.sharpness), seen.pixels)


def test_the_forest_is_plain_arrays_and_monotone(tmp_path: Path) -> None:
    save_forest(verifier(), tmp_path / "forest.npz")
    again = load_forest(tmp_path / "forest.npz")
    rng = np.random.default_rng(0)
    rows = rng.random((200, len(NAMES)), dtype=np.float32)
    assert (again.score(rows) == verifier().score(rows)).all()
    better = rows.copy()
    better[:, NAMES.index("features correlation")] += 0.3
    assert (again.score(better) >= again.score(rows)).all()


def test_a_naive_walk_down_the_trees_gives_the_same_sum() -> None:
    forest = verifier()
    row = measure(sketch(drawings()[0]), sketch(drawings()[1]), 0.3, True)
    total = float(forest.start)
    for node in forest.roots:
        while forest.left[node] >= 0:
            left = row[forest.feature[node]] <= forest.threshold[node]
            node = forest.left[node] if left else forest.right[node]
        total += forest.value[node]
    assert forest.score(row[None])[0] == pytest.approx(1 / (1 + np.exp(-total)), rel=1e-5)


def test_reading_says_why_a_picture_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(encode_png(drawings()[0]))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    files = [tmp_path / "good.png", tmp_path / "bad.png", tmp_path / "gone.png"]
    looked = look_at(files, SketchStore(tmp_path, 3), True, 2, silent)
    assert looked.errors[0] is None
    assert "no picture format" in (looked.errors[1] or "")
    assert "No such file" in (looked.errors[2] or "")
    assert looked.descriptors is not None
    assert np.abs(looked.descriptors[1:]).max() == 0
