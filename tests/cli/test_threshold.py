"""`okulo threshold` writes into a model file and into a run folder, and only when it is meant to."""

import json
import shutil

import pytest

from okulo.io.files import read_json
from okulo.runtime.modelfile import read_info

from .test_evaluate import okulo, place  # noqa: F401  # the fixture


@pytest.fixture
def fresh(place, tmp_path):  # noqa: F811
    shutil.copytree(place, tmp_path / "place")
    return tmp_path / "place"


def test_it_is_written_into_the_model_file_and_used_from_there(fresh):
    done = okulo(fresh, "threshold", "shade.okulo.onnx", ".", "--rule", "refuse", "--target", "0.25")
    assert done.returncode == 0, done.stderr
    assert "Written into shade.okulo.onnx" in done.stdout
    threshold = read_info(fresh / "shade.okulo.onnx").threshold
    assert threshold.kept == pytest.approx(0.75, abs=0.03)
    assert "refused" in threshold.how
    measured = okulo(
        fresh, "evaluate", "shade.okulo.onnx", "items.parquet", "--split", "all", "-o", "r", "--json"
    )
    said = json.loads(measured.stdout)
    assert said["at_threshold"]["threshold"] == threshold.value
    assert said["at_threshold"]["kept"] == pytest.approx(threshold.kept)


def test_a_run_folder_keeps_it_too_and_its_weights(fresh):
    before = (fresh / "run" / "best.safetensors").read_bytes()
    done = okulo(fresh, "threshold", "run", "items.parquet", "--json")
    assert done.returncode == 0, done.stderr
    chosen = json.loads(done.stdout)
    assert chosen["written"] and chosen["split"] == "val"
    info = read_json(fresh / "run" / "model.json")["info"]
    assert info["threshold"]["value"] == chosen["threshold"]["value"]
    assert (fresh / "run" / "best.safetensors").read_bytes() == before


def test_a_dry_run_changes_nothing(fresh):
    before = (fresh / "shade.okulo.onnx").read_bytes()
    done = okulo(fresh, "threshold", "shade.okulo.onnx", "items.parquet", "--dry-run", "--plot", "curve.png")
    assert done.returncode == 0, done.stderr
    assert "Dry run, not written" in done.stdout
    assert (fresh / "shade.okulo.onnx").read_bytes() == before
    assert (fresh / "curve.png").stat().st_size > 1000


def test_a_wish_that_cannot_be_met_leaves_the_model_alone(fresh):
    before = (fresh / "shade.okulo.onnx").read_bytes()
    for arguments, message in (
        (("items.parquet", "--rule", "refuse"), "rule refuse: expected --target between 0 and 1"),
        (
            ("items.parquet", "--rule", "error-rate", "--target", "0.01", "--sure", "0.95"),
            "cannot be promised",
        ),
        ((".",), "table: has no labels, rule trade needs them"),
    ):
        done = okulo(fresh, "threshold", "shade.okulo.onnx", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr, done.stderr
    assert (fresh / "shade.okulo.onnx").read_bytes() == before
