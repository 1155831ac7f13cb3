"""`okulo export` as it is typed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.models import CLASSES, bundle
from tests.predictors import pictures

from okulo.cli.export import export
from okulo.io.images import encode_png
from okulo.nets.bundle import save_bundle
from okulo.runtime.modelfile import load, read_info


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its table of 30 pictures, one of them broken."""
    folder = tmp_path_factory.mktemp("run")
    rows = []
    for index, image in enumerate(pictures(30)):
        name = f"{index}.png"
        (folder / name).write_bytes(encode_png(image) if index != 4 else b"no picture")
        split = ("train", "train", "val")[index % 3]
        rows.append((str(index), name, split, CLASSES[index % 3]))
    table = pl.DataFrame(rows, schema=["id", "path", "split", "label"], orient="row")
    table.write_parquet(folder / "items.parquet")
    save_bundle(folder / "run", bundle())
    config = {"params": {"items": "items.parquet"}}  # relative, as it was typed
    (folder / "run" / "config.json").write_text(json.dumps(config))
    return folder / "run"


def test_export_says_what_it_proved(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bees.okulo.onnx"
    assert export(run_folder, output=path, licence="CC0-1.0", quiet=True) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "3 classes, 8 batch norms folded" in said  # stem 3, blocks 2 + 2, a shortcut
    assert "Same as PyTorch on 12 pictures of the table: off by at most" in said
    assert (read_info(path).name, read_info(path).licence) == ("bees", "CC0-1.0")
    assert list(tmp_path.iterdir()) == [path]


def test_int8_and_triton_in_one_go(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.okulo.onnx"
    code = export(
        run_folder, output=path, quantize="int8", max_drop=100.0, triton=tmp_path / "t", as_json=True
    )
    said = json.loads(capsys.readouterr().out)
    assert code == 0
    assert said["quantised"]["split"] == "val"
    assert said["quantised"]["checked_on"] == 10
    assert said["quantised"]["bytes_after"] == path.stat().st_size
    assert [Path(each).name for each in said["triton"]] == ["small_preprocess", "small_network", "small"]
    assert read_info(path).notes["quantised"] == "int8, per channel, QDQ"
    assert np.isfinite(load(path).predict(pictures(1))[0]["probabilities"]).all()


def test_int8_that_loses_too_much_leaves_no_file(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("okulo.export.export.share_right", lambda answers, *_: 0.9 - 0.1 * next(calls))
    calls = iter([0, 1])
    path = tmp_path / "small.okulo.onnx"
    assert export(run_folder, output=path, quantize="int8", quiet=True) == 2
    assert "int8: loses 10.0 points on 10 pictures" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_int8_needs_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_bundle(tmp_path / "run", bundle())
    assert export(tmp_path / "run", output=tmp_path / "m.onnx", quantize="int8", quiet=True) == 2
    assert "needs pictures to set its ranges on; give --items a table" in capsys.readouterr().err


def test_without_its_table_it_is_proven_on_generated_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_bundle(tmp_path / "run", bundle())
    assert export(tmp_path / "run", output=tmp_path / "m.onnx", quiet=True) == 0
    assert "on generated noise and gradients" in " ".join(capsys.readouterr().out.split())


def test_a_table_that_changed_since_is_not_taken_for_the_runs(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = bundle()
    save_bundle(tmp_path / "run", replace(made, info=replace(made.info, data="another fingerprint")))
    config = {"params": {"items": str(run_folder.parent / "items.parquet")}}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert export(tmp_path / "run", output=tmp_path / "m.onnx", quiet=True) == 0
    assert "on generated noise and gradients" in " ".join(capsys.readouterr().out.split())


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(tmp_path, output=tmp_path / "m.onnx") == 2
    assert "holds no model.json; is this a run folder of `okulo train`?" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(run_folder, output=Path("/proc/nowhere/m.onnx"), quiet=True) == 2
    assert "cannot be written" in capsys.readouterr().err
