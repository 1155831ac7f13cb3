"""`okulo evaluate` over planted pictures whose answers are known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sklearn.metrics as sk

from okulo.core.errors import BadInput
from okulo.core.model import Threshold
from okulo.core.protocols import silent
from okulo.core.table import Items, fingerprint
from okulo.evaluate.answers import ask
from okulo.evaluate.measure import EvaluateParams, run
from okulo.io.tables import read_items, write_items

from .planted import Oracle, about, planted

CLASSES = ("ant", "bee", "cat", "dog")


@pytest.fixture
def items(tmp_path) -> Items:
    return planted(tmp_path / "data", CLASSES, 150, signal=1.5)


def evaluate(items, folder, info=None, predictor=None, **more):
    params = EvaluateParams(
        model=Path("model.onnx"), items=items.root / "items.parquet", output=folder / "out", **more
    )
    return run(params, predictor or Oracle(len(CLASSES)), info or about(CLASSES))


def relabel(items, **columns) -> Items:
    return write_items(
        replace(items, frame=items.frame.with_columns(**columns)), items.root / "items.parquet"
    )


def test_figures_agree_with_sklearn_over_the_predictions_it_wrote(items, tmp_path):
    report = evaluate(items, tmp_path)
    assert report.split == "test" and report.coverage.measured == 50
    written = read_items(tmp_path / "out" / "predictions.parquet")
    assert written.frame["split"].unique().to_list() == ["test"]
    assert all(path.exists() for path in written.files())
    truth, best = written.frame["label"], written.frame["best"]
    assert report.figures.accuracy.value == pytest.approx(sk.accuracy_score(truth, best))
    assert report.figures.macro_f1.value == pytest.approx(sk.f1_score(truth, best, average="macro"))
    probabilities = written.frame["probabilities"].to_numpy()
    assert report.figures.brier == pytest.approx(
        sk.brier_score_loss(truth, probabilities, labels=CLASSES, scale_by_half=False), rel=1e-5
    )
    assert np.allclose(written.frame["confidence"], probabilities.max(axis=1))
    assert report.figures.accuracy.low < report.figures.accuracy.value < report.figures.accuracy.high
    said = json.loads((tmp_path / "out" / "report.json").read_text())
    assert said["figures"]["accuracy"]["value"] == report.figures.accuracy.value
    assert len(said["figures"]["confusion"]) == len(CLASSES)
    assert "findings" in said and said["useful"][2]["kept"] == pytest.approx(0.8, abs=0.02)


def test_below_the_threshold_pred_is_empty_and_best_stays(items, tmp_path):
    report = evaluate(items, tmp_path, about(CLASSES, threshold=Threshold(value=0.6, how="by hand")))
    frame = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    refused = frame["confidence"] < 0.6
    assert 0 < refused.sum() < len(frame)
    assert frame["pred"].is_null().equals(refused)
    assert frame["best"].null_count() == 0
    assert report.at_threshold.answers == len(frame) - refused.sum()
    wrong = frame.filter(pl.col("best") != pl.col("label"))
    assert report.at_threshold.errors_kept == pytest.approx((wrong["confidence"] >= 0.6).mean())


def test_the_worst_are_the_surest_errors(items, tmp_path):
    report = evaluate(items, tmp_path, gallery=3)
    frame = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    wrong = frame.filter(pl.col("best") != pl.col("label")).sort("confidence", descending=True)
    assert [each.path for each in report.worst] == [
        path.removeprefix("../data/") for path in _names(wrong["path"][:3], items)
    ]


def _names(paths, items):
    return [str(path).removeprefix(str(items.root) + "/") for path in paths]


def test_unreadable_unlabelled_and_unknown_items_are_left_out_and_said(items, tmp_path):
    test = items.frame["split"] == "test"
    rows = [i for i, is_test in enumerate(test) if is_test][:3]
    (items.root / items.frame["path"][rows[0]]).write_bytes(b"no picture")
    labels = items.frame["label"].to_list()
    labels[rows[1]], labels[rows[2]] = None, "unicorn"
    report = evaluate(relabel(items, label=pl.Series(labels)), tmp_path)
    covered = report.coverage
    assert (covered.items, covered.measured) == (50, 47)
    assert (covered.unreadable, covered.unlabelled, covered.unknown_label) == (1, 1, 1)
    assert report.findings.counts() == {"unknown label": 1, "unreadable": 1}
    frame = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert len(frame) == 50 and frame["best"].null_count() == 1
    page = report.page.read_text()
    assert "could not be read" in page and "unicorn" in page


def test_splits_are_chosen_and_flattering_figures_are_said(items, tmp_path):
    assert any("training pictures" in said for said in evaluate(items, tmp_path, split="train").warnings)
    assert evaluate(items, tmp_path, split="all").coverage.items == 150
    seen = about(CLASSES, data=fingerprint(items.frame))
    assert any(
        "trained on this table" in said for said in evaluate(items, tmp_path, seen, split="all").warnings
    )
    assert not any("trained" in said for said in evaluate(items, tmp_path, seen).warnings)
    assert any("best weights" in said for said in evaluate(items, tmp_path, seen, split="val").warnings)
    grouped = relabel(items, group=pl.int_range(150, dtype=pl.Int64) // 3)
    assert any(
        "50 of the pictures are near-duplicates" in said for said in evaluate(grouped, tmp_path).warnings
    )
    bare = write_items(replace(items, frame=items.frame.drop("split")), items.root / "items.parquet")
    report = evaluate(bare, tmp_path)
    assert report.split == "all" and any("no test or val split" in said for said in report.warnings)


def test_a_single_class_and_no_error_make_a_page_that_says_so(items, tmp_path):
    test = items.frame.filter(split="test")
    oracle = Oracle(len(CLASSES))
    report = evaluate(items, tmp_path)
    frame = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    easy = frame.filter((pl.col("best") == pl.col("label")) & (pl.col("label") == "ant"))["id"]
    part = items.where(pl.col("id").is_in(easy.implode()))
    assert 0 < len(part) < len(test)
    report = evaluate(write_items(part, items.root / "items.parquet"), tmp_path, predictor=oracle)
    assert report.figures.accuracy.value == 1 and report.suggested is None
    assert not report.curve.has
    assert any("same label" in said for said in report.warnings)
    page = report.page.read_text()
    assert "not one error" in page and "nan" not in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": pl.lit(None, pl.String)}, "table: has no label to measure against; `okulo predict`"),
        (
            {"label": pl.lit("unicorn")},
            r"labels: expected classes of the model \(ant, bee, cat, dog\), got unicorn",
        ),
        ({"split": pl.lit("train")}, "split test: expected at least one item, got none; the table has train"),
    ],
)
def test_what_cannot_be_measured_is_refused_and_nothing_is_written(items, tmp_path, change, message):
    with pytest.raises(BadInput, match=message):
        evaluate(relabel(items, **change), tmp_path, split="test")
    assert not (tmp_path / "out").exists()


class Odd:
    def __init__(self, answer):
        self.answer = answer

    def predict(self, batch, /):
        return [self.answer for _ in batch]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"embedding": np.zeros(4, np.float32)}, "model: expected an output 'probabilities', got embedding"),
        (
            {"probabilities": np.ones(3, np.float32) / 3},
            r"expected one for each of 4 classes, got shape \(3,\)",
        ),
        ({"probabilities": np.float32([4, -1, 2, 0])}, "are these logits?"),
        ({"probabilities": np.float32([np.nan] * 4)}, "expected numbers ≥ 0 that sum to 1"),
    ],
)
def test_a_model_that_answers_no_probabilities_is_refused(items, tmp_path, answer, message):
    with pytest.raises(BadInput, match=message):
        evaluate(items, tmp_path, predictor=Odd(answer))


def test_a_model_of_another_task_is_refused(items, tmp_path):
    with pytest.raises(BadInput, match="model: expected one that classifies, got task 'embed'"):
        evaluate(items, tmp_path, replace(about(CLASSES), task="embed"))


def test_answers_keep_their_order_whatever_the_batch_and_the_threads(items):
    wanted = ask(Oracle(4), items, about(CLASSES), silent, batch_size=150, threads=1)
    for batch_size, threads in ((1, 1), (7, 3), (64, 8)):
        oracle = Oracle(4)
        got = ask(oracle, items, about(CLASSES), silent, batch_size=batch_size, threads=threads)
        assert np.array_equal(got.probabilities, wanted.probabilities)
        assert max(oracle.batches) == batch_size


def test_no_picture_that_can_be_read_is_refused(items):
    for file in items.files():
        file.write_bytes(b"")
    with pytest.raises(BadInput, match="none of its pictures can be read"):
        ask(Oracle(4), items, about(CLASSES), silent)
