"""`okulo bench` as it is typed."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from tests.models import CLASSES, bundle, write_model
from tests.predictors import pictures

from okulo.cli.bench import bench
from okulo.io.images import encode_png
from okulo.nets.bundle import save_bundle


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    write_model(folder / "small.okulo.onnx")
    save_bundle(folder / "run", bundle())
    rows = []
    for index, image in enumerate(pictures(9)):
        (folder / f"{index}.png").write_bytes(encode_png(image))
        rows.append((str(index), f"{index}.png", "test", CLASSES[index % 3]))
    pl.DataFrame(rows, schema=["id", "path", "split", "label"], orient="row").write_parquet(
        folder / "items.parquet"
    )
    return folder


def test_a_file_beside_its_run(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = bench(
        (place / "small.okulo.onnx", place / "run"),
        batches="1,4",
        threads="1",
        seconds=0.02,
        items=place / "items.parquet",
        plot=tmp_path / "p.png",
        profile=True,
        as_json=True,
    )
    assert code == 0
    said = json.loads(capsys.readouterr().out)
    file, run = said["contests"]
    assert (file["model"], file["engine"]) == ("small", "onnxruntime")
    assert (run["model"], run["engine"]) == ("run", "torch")
    assert file["accuracy"] == run["accuracy"]
    assert file["accuracy_on"] == "9 pictures, test"
    for speed in (*file["speeds"], *run["speeds"]):
        assert 0 < speed["p50_ms"] <= speed["p90_ms"] <= speed["p99_ms"]
        assert speed["runs"] >= 10
    assert any(layer["kind"] == "Conv" for layer in file["layers"])
    assert any("conv" in layer["name"] for layer in run["layers"])
    assert sum(layer["share"] for layer in file["layers"]) == pytest.approx(1)
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_printed(place: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "okulo.cli.main",
            "bench",
            str(place / "small.okulo.onnx"),
            "--seconds",
            "0.02",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "pictures/s" in done.stdout
    assert "to decode" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engines": "tensorrt"}, "--engines: expected of onnxruntime"),
        ({"batches": "1,x"}, "--batches: expected whole numbers with commas between, got '1,x'"),
        ({"threads": "0"}, "--threads: expected numbers from 1 to 1024, got '0'"),
        ({"plot": Path("p.png")}, "--plot: shows accuracy against speed; give --items"),
    ],
)
def test_bad_options(
    place: Path, capsys: pytest.CaptureFixture[str], options: dict[str, object], message: str
) -> None:
    assert bench((place / "small.okulo.onnx",), **options) == 2
    assert message in capsys.readouterr().err


def test_a_broken_model_is_the_users_to_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"nothing")
    assert bench((path,), seconds=0.02) == 2
    assert "is no ONNX file" in capsys.readouterr().err
