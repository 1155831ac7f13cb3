"""`okulo threshold` over planted pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from okulo.core.errors import BadInput
from okulo.core.model import Threshold
from okulo.evaluate.threshold import ThresholdParams, run
from okulo.io.tables import write_items

from .planted import Oracle, about, planted

CLASSES = ("ant", "bee", "cat", "dog")


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("planted"), CLASSES, 450, signal=1.5)


def choose(path, info=None, temperature=1.0, **more):
    params = ThresholdParams(model=Path("model.onnx"), items=path, **more)
    return run(params, Oracle(len(CLASSES), temperature), info or about(CLASSES))


def test_the_best_trade_removes_more_errors_than_it_costs_answers(items):
    report = choose(items.root / "items.parquet")
    done = report.chosen
    assert report.split == "val" and done.items == 150 and not report.written
    assert (1 - done.errors_kept) - (1 - done.kept) > 0.2
    assert done.error_rate < report.answering_all.error_rate / 1.5
    assert report.interval[0] <= report.threshold.value <= report.interval[1]
    assert report.threshold.kept == done.kept and report.threshold.errors_kept == done.errors_kept
    assert (
        "split val of items.parquet" in report.threshold.how
        and "of 150 pictures refused" in report.threshold.how
    )


def test_a_wanted_error_rate_is_met_and_a_sure_one_costs_more_answers(items):
    plain = choose(items.root / "items.parquet", rule="error-rate", target=0.15, split="all")
    sure = choose(items.root / "items.parquet", rule="error-rate", target=0.15, split="all", sure=0.95)
    assert plain.chosen.error_rate <= 0.15 and sure.chosen.error_rate < 0.15
    assert sure.chosen.kept < plain.chosen.kept
    assert "95.0\u202f% certainty" in sure.threshold.how


def test_a_wanted_share_needs_no_labels_and_takes_a_folder(items, tmp_path):
    with_labels = choose(items.root / "items.parquet", rule="refuse", target=0.2, split="all")
    folder = choose(items.root, rule="refuse", target=0.2)
    bare = write_items(replace(items, frame=items.frame.select("id", "path")), tmp_path / "bare.parquet")
    table = choose(bare.root / "bare.parquet", rule="refuse", target=0.2)
    assert with_labels.threshold.value == folder.threshold.value == table.threshold.value
    assert folder.chosen.kept == pytest.approx(0.8, abs=0.005)
    assert folder.chosen.error_rate is None and folder.threshold.errors_kept is None
    assert with_labels.chosen.error_rate is not None
    assert "errors" not in folder.threshold.how


def test_another_domain_is_refused_far_too_often_until_the_share_is_chosen_there(items):
    home = choose(items.root / "items.parquet", rule="refuse", target=0.2)
    shifted = choose(
        items.root, about(CLASSES, threshold=home.threshold), temperature=3, rule="refuse", target=0.2
    )
    assert 1 - shifted.previous.kept > 0.6
    assert 1 - shifted.chosen.kept == pytest.approx(0.2, abs=0.005)


def test_broken_pictures_and_strange_labels_are_left_out(items, tmp_path):
    labels = pl.Series(["unicorn", None, *items.frame["label"][2:]])
    changed = items.frame.with_columns(label=labels, path=pl.Series(["gone.png", *items.frame["path"][1:]]))
    table = write_items(replace(items, frame=changed), tmp_path / "items.parquet")
    report = choose(table.root / "items.parquet", split="all")
    assert report.findings.counts() == {"unreadable": 1}
    assert report.chosen.items == 448
    assert report.warnings[0] == "1 items without a label the model knows were left out."


def test_doubts_are_said(items):
    assert any("test split" in said for said in choose(items.root / "items.parquet", split="test").warnings)
    few = choose(items.root / "items.parquet", rule="error-rate", target=0.15).warnings
    assert any("--sure" in said for said in few)
    none = choose(items.root / "items.parquet", rule="error-rate", target=0.9)
    assert none.threshold.value == 0 and any("No threshold is needed" in said for said in none.warnings)


def test_confidences_that_are_all_alike_say_so(items):
    class Same:
        def predict(self, batch, /):
            return [{"probabilities": np.float32([0.7, 0.1, 0.1, 0.1])} for _ in batch]

    params = ThresholdParams(model=Path("m"), items=items.root, rule="refuse", target=0.2)
    report = run(params, Same(), about(CLASSES))
    assert report.chosen.kept == 1 and "same confidence" in report.warnings[0]


def test_it_draws_the_curve(items, tmp_path):
    choose(items.root / "items.parquet", plot=tmp_path / "curve.png", rule="refuse", target=0.2)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"rule": "refuse"}, "rule refuse: expected --target between 0 and 1, as 0.2, got none"),
        ({"rule": "error-rate", "target": 0.0}, "rule error-rate: expected --target between 0 and 1"),
        ({"target": 0.2}, "target: rule trade needs none; did you mean --rule refuse"),
        ({"sure": 0.95}, "sure: belongs to --rule error-rate"),
        ({"rule": "best"}, "rule: expected one of trade, error-rate, refuse"),
    ],
)
def test_bad_wishes_are_refused(items, more, message):
    with pytest.raises(BadInput, match=message):
        choose(items.root / "items.parquet", **more)


def test_rules_with_labels_need_them(items, tmp_path):
    with pytest.raises(BadInput, match="table: has no labels, rule trade needs them"):
        choose(items.root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="expected pictures"):
        choose(tmp_path / "empty", rule="refuse", target=0.2)


def test_a_perfect_model_has_no_best_trade(items, tmp_path):
    easy = planted(tmp_path / "easy", CLASSES, 30, signal=12)
    with pytest.raises(BadInput, match="no error to avoid on this data; measure on more items"):
        choose(easy.root / "items.parquet", split="all")


def test_the_old_threshold_is_shown_beside_the_new(items):
    report = choose(items.root / "items.parquet", about(CLASSES, threshold=Threshold(value=0.99)))
    assert report.previous.threshold == 0.99
    assert report.previous.kept < report.chosen.kept
