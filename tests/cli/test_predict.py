"""`okulo predict` as it is typed: formats, order, broken pictures, "don't know", no torch."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.models import CLASSES, write_model
from tests.predictors import pictures

from okulo.cli.predict import predict
from okulo.core.table import check_table
from okulo.io.images import encode_png, read_image
from okulo.runtime import answer_files as answer_files_module
from okulo.runtime.modelfile import load


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and a folder of 23 pictures with one broken."""
    folder = tmp_path_factory.mktemp("predict")
    write_model(folder / "m.onnx")
    (folder / "in" / "deep").mkdir(parents=True)
    for index, image in enumerate(pictures(22)):
        inner = "deep/" if index % 2 else ""
        (folder / "in" / f"{inner}{index:02}.png").write_bytes(encode_png(image))
    (folder / "in" / "broken.png").write_bytes(b"no picture")
    return folder


def test_a_folder_to_parquet(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.parquet"
    assert predict(place / "m.onnx", (place / "in",), output=out, batch=4) == 0
    said = capsys.readouterr().out
    assert "answered 22 pictures" in said
    assert "1 could not be read" in said
    table = pl.read_parquet(out)
    check_table(table)
    assert table.columns == ["id", "path", "best", "pred", "confidence", "probabilities", "error"]
    names = [Path(path).name for path in table["path"]]
    assert names == sorted(names[:12]) + sorted(names[12:])
    model = load(place / "m.onnx")
    for path, best, confidence, error in table.select("path", "best", "confidence", "error").iter_rows():
        if "broken" in path:
            assert (best, confidence) == (None, None)
            assert "no picture format" in error
            continue
        shares = model.predict([read_image(tmp_path / path)])[0]["probabilities"]
        assert error is None
        assert best == CLASSES[int(shares.argmax())]
        assert confidence == pytest.approx(float(shares.max()), abs=1e-5)


def test_below_the_threshold_the_answer_is_dont_know(place: Path, tmp_path: Path) -> None:
    for threshold in (0.0, 0.9, 1.0):
        out = tmp_path / "a.parquet"
        predict(place / "m.onnx", (place / "in",), output=out, threshold=threshold, quiet=True)
        table = pl.read_parquet(out).drop_nulls("best")
        sure = table["confidence"] >= threshold
        assert table["pred"].is_not_null().to_list() == sure.to_list()
        assert table.filter(sure)["pred"].to_list() == table.filter(sure)["best"].to_list()


def test_rows_come_in_the_order_given(place: Path, tmp_path: Path) -> None:
    given = [place / "in" / "10.png", place / "in" / "02.png", place / "in" / "deep" / "03.png"]
    predict(place / "m.onnx", tuple(given), output=tmp_path / "a.csv", quiet=True)
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [str(path) for path in given]
    shares = [[float(row[f"probability {name}"]) for name in CLASSES] for row in rows]
    assert np.sum(shares, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_a_glob_to_json_with_embeddings(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    predict(place / "m.onnx", (place / "in" / "0*.png",), output=out, embedding=True, quiet=True)
    rows = json.loads(out.read_text())
    assert [Path(row["path"]).name for row in rows] == ["00.png", "02.png", "04.png", "06.png", "08.png"]
    assert len(rows[0]["probabilities"]) == 3
    assert len(rows[0]["embedding"]) == 16


def test_a_table_keeps_its_columns(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"id": ["a", "b", "c"], "path": ["in/00.png", "in/gone.png", "in/02.png"], "label": [*CLASSES]}
    pl.DataFrame(rows).write_parquet(place / "items.parquet")
    out = tmp_path / "a.parquet"
    assert predict(place / "m.onnx", (place / "items.parquet",), output=out, quiet=True) == 0
    table = pl.read_parquet(out)
    assert table["id"].to_list() == ["a", "b", "c"]
    assert table["label"].to_list() == [*CLASSES]
    assert table["error"].to_list() == [None, "cannot be read (No such file or directory)", None]
    capsys.readouterr()
    assert predict(place / "m.onnx", (out,), output=tmp_path / "b.parquet", quiet=True) == 2
    assert "already has probabilities, best, pred, confidence, error; --replace" in capsys.readouterr().err
    assert predict(place / "m.onnx", (out,), output=tmp_path / "b.parquet", replace=True, quiet=True) == 0


def test_workers_and_batches_change_nothing(place: Path, tmp_path: Path) -> None:
    tables = []
    for workers, batch in ((1, 32), (3, 1), (2, 5)):
        out = tmp_path / f"{workers}.parquet"
        predict(place / "m.onnx", (place / "in",), output=out, workers=workers, batch=batch, quiet=True)
        tables.append(pl.read_parquet(out))
    for other in tables[1:]:
        assert other.drop("confidence", "probabilities").equals(tables[0].drop("confidence", "probabilities"))
        assert np.abs((other["confidence"] - tables[0]["confidence"]).drop_nulls()).max() < 1e-5


@pytest.mark.parametrize(
    ("paths", "output", "message"),
    [
        (("in",), "a.txt", "--output: expected a name ending in .parquet, .csv, .json, got a.txt"),
        (("none",), "a.csv", "none: does not exist"),
        (("in/*.gif",), "a.csv", "in/*.gif: does not exist"),
        (("empty",), "a.csv", "expected pictures"),
        (("items.parquet", "in"), "a.csv", "paths: expected one table, or pictures"),
    ],
)
def test_bad_input_leaves_nothing(
    place: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    paths: tuple[str, ...],
    output: str,
    message: str,
) -> None:
    (place / "empty").mkdir(exist_ok=True)
    given = tuple(place / path for path in paths)
    assert predict(place / "m.onnx", given, output=tmp_path / output, quiet=True) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_csv_holds_no_embedding(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.csv"
    assert predict(place / "m.onnx", (place / "in",), output=out, embedding=True) == 2
    assert "a CSV holds no vectors; write a .parquet" in capsys.readouterr().err


def test_ctrl_c_leaves_nothing_and_no_thread(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = answer_files_module.decode, []

    def stop(data: bytes) -> np.ndarray:
        seen.append(1)
        if len(seen) > 6:
            raise KeyboardInterrupt
        return real(data)

    monkeypatch.setattr(answer_files_module, "decode", stop)
    code = predict(place / "m.onnx", (place / "in",), output=tmp_path / "a.parquet", batch=2, workers=2)
    assert code == 130
    assert list(tmp_path.iterdir()) == []


def test_needs_no_torch(place: Path, tmp_path: Path) -> None:
    """The import of everything heavy is blocked, as if it were not installed."""
    blocked = ("torch", "torchvision", "timm", "kornia", "safetensors", "onnxscript", "openvino")
    code = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
from okulo.cli.main import make_app
arguments = sys.argv[1:]
sys.exit(make_app()(arguments))
"""
    out = tmp_path / "a.parquet"
    command = [sys.executable, "-c", code, "predict", str(place / "m.onnx")]
    done = subprocess.run(
        [*command, str(place / "in"), str(place / "in" / "00.png"), "-o", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(pl.read_parquet(out)) == 24
    refused = subprocess.run(
        [*command, str(place / "in"), "-o", str(out), "--engine", "openvino"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "pip install 'okulo[openvino]'" in refused.stderr
