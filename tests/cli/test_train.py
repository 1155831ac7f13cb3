"""`okulo train` and its words: the story it prints, its JSON, its exit codes."""

import json
from io import StringIO
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from rich.console import Console

from okulo.cli import train
from okulo.cli.main import make_app
from okulo.core.nouns import Findings
from okulo.train.report import TrainReport


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pictures, dark and light, with a table."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        label = ("dark", "light")[i % 2]
        cv2.imwrite(str(folder / f"{i}.png"), rng.integers(0, 90, (10, 10, 3)) + 150 * (i % 2))
        rows.append({"id": f"{i:032x}", "path": f"{i}.png", "label": label})
    pl.DataFrame(rows).write_parquet(folder / "items.parquet")
    return folder / "items.parquet"


def okulo(*words: object) -> int:
    return int(make_app()([str(word) for word in words], result_action="return_value"))


SMALL = ("--epochs", 2, "--batch", 8, "--input-size", 10)


def test_train_prints_what_was_learned_and_what_to_do_next(
    items: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert okulo("train", items, "-o", tmp_path / "run", *SMALL) == 0
    said = capsys.readouterr().out
    for words in ("36 pictures of 2 classes, 2 epochs", "on 4 others", "in the step", "next: okulo export"):
        assert words in said
    assert okulo("train", items, "-o", tmp_path / "run", *SMALL) == 2
    assert "holds a run already; give --resume, or another folder" in capsys.readouterr().err


def test_train_as_json(items: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert okulo("train", items, "-o", tmp_path / "run", *SMALL, "--json") == 0
    assert json.loads(capsys.readouterr().out)["classes"] == ["dark", "light"]


@pytest.mark.parametrize("switch", ["--no-decay-norm-bias", "--no-cosine", "--no-zero-gamma", "--no-tweak-d"])
def test_tricks_can_be_said_no_to(switch: str, items: Path, tmp_path: Path) -> None:
    assert okulo("train", items, "-o", tmp_path / "run", *SMALL, switch, "--quiet") == 0


def test_an_unwritable_folder_is_one_clear_line(
    items: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert okulo("train", items, "-o", tmp_path / "file", *SMALL) == 2
    assert "is a file; a run is a folder" in capsys.readouterr().err


def test_ctrl_c_ends_with_130_and_the_command_to_go_on(
    items: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from okulo.train import fit

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fit, "train_epoch", stop)
        assert okulo("train", items, "-o", tmp_path / "run", *SMALL) == 130
    assert f"go on with: okulo train {items} -o {tmp_path / 'run'} --resume" in capsys.readouterr().err
    assert okulo("train", items, "-o", tmp_path / "run", "--resume") == 0


def test_the_gap_of_the_logits_is_shown_beside_its_optimum() -> None:
    console = Console(file=StringIO(), width=120)
    report = TrainReport(
        run=Path("run"), backbone="vgg-tiny", classes=("a", "b"), input_size=28, train_items=1, val_items=1,
        parameters=1, multiply_adds=1, precision="fp32", device="cpu", processes=2, epochs=1, best_epoch=1,
        train_loss=1.0, val_loss=1.0, val_accuracy=0.5, logit_gap=3.2, logit_gap_optimum=4.4, seconds=1.0,
        decode_seconds=1.0, images_per_second=10.0, step_share=0.95,
        findings=Findings.of([("a.png", "unreadable", 1.0, "cut")]),
    )  # fmt: skip
    train.show(report, console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "3.2, label smoothing aims at 4.4" in said
    assert "left out: 1 unreadable" in said and "cpu × 2" in said
