"""Whole runs: what they write, that they learn, what they leave out and what they refuse."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from okulo.core.errors import BadInput
from okulo.core.table import Items
from okulo.io.images import read_image
from okulo.io.tables import read_items, write_items
from okulo.nets.bundle import load_bundle
from okulo.nets.predictor import TorchPredictor
from okulo.train.classify import run
from okulo.train.params import ClassifyParams

SMALL: dict[str, Any] = {"backbone": "resnet-tiny", "input_size": 12, "epochs": 3, "batch": 16, "lr": 0.05}


def params(items: Path, output: Path, **choices: Any) -> ClassifyParams:
    return ClassifyParams(items=items, output=output, **{**SMALL, **choices})


def history(run_folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def done(items: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "colours"
    run(params(items, folder, epochs=6))
    return folder


def test_a_run_learns_and_writes_what_it_promises(done: Path, items: Path) -> None:
    names = {path.relative_to(done).as_posix() for path in done.rglob("*") if path.is_file()}
    assert names == {
        "config.json", "model.json", "best.safetensors", "last.safetensors",
        "state/checkpoint.pt", "metrics.jsonl", "curves.png", "report.json",
    }  # fmt: skip
    report = json.loads((done / "report.json").read_text())
    assert report["val_accuracy"] >= 0.9
    assert report["train_items"] == 48 and report["val_items"] == 16
    assert 0 < report["step_share"] < 1
    assert read_image(done / "curves.png").shape[1] > 500
    config = json.loads((done / "config.json").read_text())
    assert config["data"] and config["versions"]["torch"] and config["params"]["seed"] == 0
    assert [each["epoch"] for each in history(done)] == [1, 2, 3, 4, 5, 6]


def test_the_bundle_answers_as_the_report_says(done: Path, items: Path) -> None:
    bundle = load_bundle(done)
    assert bundle.info.classes == ("blue", "green", "grey", "red")
    val = read_items(items).in_split("val")
    answers = TorchPredictor(bundle).predict([read_image(path) for path in val.files()])
    guessed = [bundle.info.classes[int(np.argmax(each["probabilities"]))] for each in answers]
    accuracy = np.mean([guess == label for guess, label in zip(guessed, val.frame["label"])])
    assert accuracy == pytest.approx(bundle.info.metrics["val_accuracy"])


def test_the_same_seed_is_the_same_run(items: Path, tmp_path: Path, done: Path) -> None:
    run(params(items, tmp_path / "again", epochs=6))
    for one, other in zip(history(done), history(tmp_path / "again")):
        assert {k: v for k, v in one.items() if k[-2:] != "_s"} == {
            k: v for k, v in other.items() if k[-2:] != "_s"
        }


def test_corrupt_files_are_findings_and_the_rest_trains(items: Path, tmp_path: Path) -> None:
    table = read_items(items)
    frame = table.frame.with_columns(path=pl.Series([str(path) for path in table.files()]))
    for row in (0, 20, 63):
        broken = tmp_path / f"{row}.png"
        broken.write_bytes(Path(frame["path"][row]).read_bytes()[:60])
        frame[row, "path"] = str(broken)
    frame[5, "path"] = str(tmp_path / "gone.png")
    write_items(Items(frame, tmp_path), tmp_path / "items.parquet")
    report = run(params(tmp_path / "items.parquet", tmp_path / "run", epochs=1))
    assert report.findings.counts() == {"unreadable": 4}
    assert (report.train_items, report.val_items) == (45, 15)
    said = json.loads((tmp_path / "run/report.json").read_text())["findings"]["frame"]
    assert {each["kind"] for each in said} == {"unreadable"}


def test_a_table_without_splits_holds_out_a_part(items: Path, tmp_path: Path) -> None:
    table = read_items(items)
    frame = table.frame.drop("split").with_columns(path=pl.Series([str(path) for path in table.files()]))
    write_items(Items(frame, tmp_path), tmp_path / "items.parquet")
    report = run(params(tmp_path / "items.parquet", tmp_path / "run", epochs=1, val_share=0.25))
    assert (report.train_items, report.val_items) == (48, 16)
    alone = run(params(tmp_path / "items.parquet", tmp_path / "all", epochs=1, val_share=0.0))
    assert (alone.train_items, alone.val_items, alone.val_accuracy) == (64, 0, None)
    assert alone.best_epoch == 1


def test_pictures_beyond_memory_go_to_a_file_for_the_time(items: Path, tmp_path: Path, done: Path) -> None:
    run(params(items, tmp_path / "run", epochs=6, memory=0.0))
    assert history(tmp_path / "run")[-1]["train_loss"] == history(done)[-1]["train_loss"]
    assert not list((tmp_path / "run").glob("*.cache"))


def test_a_budget_in_seconds_plans_epochs_and_keeps_to_it(items: Path, tmp_path: Path) -> None:
    report = run(params(items, tmp_path / "run", epochs=None, seconds=3.0))
    assert report.epochs >= 1
    assert json.loads((tmp_path / "run/config.json").read_text())["plan"]["epochs"] == report.epochs


def test_a_student_learns_from_a_teacher(items: Path, tmp_path: Path, done: Path) -> None:
    report = run(
        params(items, tmp_path / "run", teacher=done, distill_weight=1.0, backbone="vgg-tiny", input_size=16)
    )
    assert report.val_accuracy is not None and report.val_accuracy > 0.5


def refuses(items: Path, output: Path, says: str, **choices: Any) -> None:
    before = sorted(output.rglob("*")) if output.exists() else None
    with pytest.raises(BadInput, match=says):
        run(params(items, output, **choices))
    assert (sorted(output.rglob("*")) if output.exists() else None) == before


def test_what_cannot_be_run_says_so_and_leaves_nothing(items: Path, tmp_path: Path, done: Path) -> None:
    new = tmp_path / "run"
    refuses(items, done, "holds a run already; give --resume")
    refuses(items, new, "holds no run to resume", resume=True)
    refuses(items, new, "there are no published weights of resnet-tiny", pretrained=True)
    refuses(items, new, "backbone: expected one of ours or a name timm knows", backbone="resnat18")
    refuses(items, new, "'tpu' cannot be used", device="tpu")
    refuses(items, new, "does not exist", weights_file=tmp_path / "none.pth")
    with pytest.raises(BadInput, match="one budget"):
        params(items, new, seconds=3.0)
    with pytest.raises(BadInput, match="nesterov: needs momentum"):
        params(items, new, momentum=0.0)


def test_a_loss_that_blows_up_is_said_so(items: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"loss: is no number any more in epoch 1; try a smaller --lr"):
        run(params(items, tmp_path / "run", lr=1e30, warmup_epochs=0.0, loss="bce"))


def test_a_teacher_of_other_classes_is_refused(items: Path, tmp_path: Path, done: Path) -> None:
    table = read_items(items)
    frame = table.frame.with_columns(
        path=pl.Series([str(path) for path in table.files()]),
        label=pl.col("label").replace("red", "rot"),
    )
    write_items(Items(frame, tmp_path), tmp_path / "items.parquet")
    refuses(tmp_path / "items.parquet", tmp_path / "run", "teacher: expected classes blue", teacher=done)
