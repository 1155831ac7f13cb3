"""`okulo evaluate` and `okulo threshold` from end to end: a real model file and a run folder."""

import contextlib
import json
import subprocess
from dataclasses import replace
from io import StringIO
from pathlib import Path

import polars as pl
import pytest

from okulo.cli.main import make_app
from okulo.core.model import ModelInfo, Preprocess
from okulo.core.table import Items
from okulo.export.write import write
from okulo.io.images import encode_png
from okulo.io.tables import read_items, write_items
from okulo.nets.build import build, describe
from okulo.nets.bundle import Bundle, save_bundle
from okulo.runtime.modelfile import read_info

CLASSES = ("dark", "light")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with pictures, their table, a model file and the run folder it could be from."""
    import numpy as np
    import torch

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    for i in range(40):
        image = rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)
        (folder / f"{i:02}.png").write_bytes(encode_png(image))
    frame = pl.DataFrame(
        {
            "id": [f"{i:02}" for i in range(40)],
            "path": [f"{i:02}.png" for i in range(40)],
            "label": [CLASSES[i % 2] for i in range(40)],
            "split": ["val" if i < 20 else "test" for i in range(40)],
        }
    )
    write_items(Items(frame, folder), folder / "items.parquet")
    architecture = describe("vgg-tiny", 2)
    info = ModelInfo(task="classify", classes=CLASSES, preprocess=Preprocess(size=(12, 12)), name="shade")
    bundle = Bundle(build(architecture).eval(), architecture, info)
    save_bundle(folder / "run", bundle)
    write(bundle, folder / "shade.okulo.onnx")
    return folder


def okulo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in that folder; in this process, because starting torch anew each time takes seconds."""
    out, err = StringIO(), StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = make_app()(list(arguments), exit_on_error=False, result_action="return_value")
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def test_a_model_file_is_measured(place):
    done = okulo(place, "evaluate", "shade.okulo.onnx", "items.parquet", "-o", "report")
    assert done.returncode == 0, done.stderr
    assert "shade on 20 pictures of the test split" in done.stdout
    assert "Only 20 items were measured" in done.stdout
    assert {file.name for file in (place / "report").iterdir()} == {
        "report.html",
        "report.json",
        "predictions.parquet",
    }
    assert "probabilities" in read_items(place / "report" / "predictions.parquet").frame.columns


def test_a_run_folder_gives_the_same_figures(place):
    accuracies = []
    for model in ("shade.okulo.onnx", "run"):
        done = okulo(place, "evaluate", model, "items.parquet", "-o", "again", "--split", "all", "--json")
        assert done.returncode == 0, done.stderr
        accuracies.append(json.loads(done.stdout)["figures"]["negative_log_likelihood"])
    assert accuracies[0] == pytest.approx(accuracies[1], abs=1e-5)


def test_a_broken_wish_writes_nothing(place):
    before = sorted(place.rglob("*"))
    for arguments, message in (
        (
            ("shade.okulo.onnx", "items.parquet", "--split", "train"),
            "split train: expected at least one item",
        ),
        (("nowhere.onnx", "items.parquet"), "nowhere.onnx: does not exist; a model file or a run folder"),
        (("00.png", "items.parquet"), "00.png: is no ONNX file"),
        (("shade.okulo.onnx", "."), ".: is a folder; `okulo scan . -o items.parquet`"),
    ):
        done = okulo(place, "evaluate", *arguments, "-o", "none")
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
    assert sorted(place.rglob("*")) == before


def test_an_unwritable_output_is_one_clear_line(place):
    (place / "taken").write_text("a file")
    done = okulo(place, "evaluate", "shade.okulo.onnx", "items.parquet", "-o", "taken")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "taken" in done.stderr
    (place / "taken").unlink()


def test_a_model_without_classes_it_can_name_is_refused(place):
    items = read_items(place / "items.parquet")
    other = replace(items, frame=items.frame.with_columns(label=pl.lit("cat")))
    write_items(other, place / "cats.parquet")
    done = okulo(place, "evaluate", "shade.okulo.onnx", "cats.parquet", "-o", "none")
    assert done.returncode == 2
    assert "labels: expected classes of the model (dark, light), got cat" in done.stderr
    assert not (place / "none").exists()
    assert read_info(place / "shade.okulo.onnx").classes == CLASSES
