"""The recipe "detect": boxes move with their pictures, a detector learns, and answers alike everywhere."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from okulo.core.errors import BadInput
from okulo.core.table import BOX
from okulo.train import recipes
from okulo.train.detect import run
from okulo.train.mosaic import Labelled, Warp, affine, mosaic
from okulo.train.params import ClassifyParams
from okulo.train.report import DetectReport

from .boxed import write_boxed


def params(items: Path, output: Path, **said: object) -> ClassifyParams:
    start = ClassifyParams(
        items=items, output=output, recipe="detect", input_size=96, epochs=12, maps=2, anchors=2, batch=8,
        lr=0.004, precision="fp32", ema=0.95,
    )  # fmt: skip
    return replace(start, **said)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_boxed(tmp_path_factory.mktemp("boxed"))


@pytest.fixture(scope="module")
def trained(items: Path, tmp_path_factory: pytest.TempPathFactory) -> DetectReport:
    return run(params(items, tmp_path_factory.mktemp("runs") / "run"))


def test_a_small_detector_learns_in_seconds(trained: DetectReport) -> None:
    history = [json.loads(line) for line in (trained.run / "metrics.jsonl").read_text().splitlines()]
    assert history[0]["val_map"] < 0.1  # chance is below 0.01
    assert trained.val_map is not None and trained.val_map > 0.3
    assert trained.val_map_50 is not None and trained.val_map_50 > 0.7
    assert history[-1]["train_loss"] < history[0]["train_loss"] / 2
    assert trained.classes == ("disc", "square") and trained.anchor_overlap > 0.8
    for name in ("curves.png", "report.json", "model.json", "best.safetensors", "state/checkpoint.pt"):
        assert (trained.run / name).stat().st_size > 100


def test_the_model_file_finds_what_the_run_finds(trained: DetectReport, items: Path, tmp_path: Path) -> None:
    from okulo.cli.evaluate import measure
    from okulo.core.protocols import silent
    from okulo.evaluate.boxes import BoxesReport
    from okulo.evaluate.measure import EvaluateParams
    from okulo.export.export import run as export
    from okulo.export.params import ExportParams
    from okulo.runtime.detect import DetectParams
    from okulo.runtime.detect import run as detect

    model = tmp_path / "m.okulo.onnx"
    report = export(ExportParams(run=trained.run, output=model))
    assert report.parity.worst < 1e-4 and all(case.same_best for case in report.parity.cases)
    said = [
        measure(EvaluateParams(model=each, items=items, output=tmp_path / "out", split="val"), silent)
        for each in (model, trained.run)
    ]
    for each in said:
        assert isinstance(each, BoxesReport)
        assert each.mean_precision == pytest.approx(trained.val_map, abs=0.003)
    found = detect(DetectParams(model=model, sources=(str(items),), output=tmp_path / "d.parquet"))
    assert found.threshold == pytest.approx(trained.threshold, abs=6e-4) and found.found > 80
    with pytest.raises(BadInput, match="not there for detectors"):
        export(ExportParams(run=trained.run, output=tmp_path / "q.okulo.onnx", quantize="int8"))


def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    items = write_boxed(tmp_path / "few", n=32)
    whole = params(items, tmp_path / "whole", epochs=2, mosaic=0.5, zoom=0.3, colour=0.2)
    recipes.run(whole, lambda things, **_: things)

    class Stop(Exception):
        pass

    def stopping(things: object, *, label: str = "", **_: object) -> object:
        if label.startswith("epoch 2"):
            raise Stop
        return things

    with pytest.raises(Stop):
        run(replace(whole, output=tmp_path / "part"), stopping)  # type: ignore[arg-type]
    again = ClassifyParams(items=items, output=tmp_path / "part", resume=True)  # the recipe is the run's own
    recipes.run(again, lambda things, **_: things)
    a, b = ((tmp_path / name / "last.safetensors").read_bytes() for name in ("whole", "part"))
    assert a == b


def scene(rng: np.random.Generator) -> Labelled:
    image = np.full((64, 64, 3), 90, np.uint8)
    x, y, side = *rng.integers(4, 34, 2), int(rng.integers(12, 24))
    image[y : y + side, x : x + side] = 250
    return Labelled(image, np.float32([[x, y, x + side, y + side]]), np.array([3]), (0, 0, 64, 64))


@pytest.mark.parametrize(
    "change", [affine, lambda one, warp, rng: mosaic([one, scene(rng), scene(rng), scene(rng)], warp, rng)]
)
def test_boxes_stay_on_what_they_show(change: Callable[..., Labelled]) -> None:
    rng = np.random.default_rng(0)
    warp = Warp(zoom=0.4, shift=0.1, flip=True)
    seen = 0
    for _ in range(40):
        made = change(scene(rng), warp, rng)
        assert len(made.boxes) == len(made.labels) and (made.labels == 3).all()
        bright = made.image[..., 0] > 170
        for x0, y0, x1, y1 in made.boxes.round().astype(int):
            assert bright[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1].all()
            bright[max(y0 - 1, 0) : y1 + 1, max(x0 - 1, 0) : x1 + 1] = False
            seen += 1
        assert bright.sum() <= 250  # only what was cut so far that it has no box any more
    assert seen > 25


def test_changes_off_change_nothing() -> None:
    one = scene(np.random.default_rng(1))
    assert affine(one, Warp(), np.random.default_rng(2)) is one


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"mixup": 0.2}, "mixup: does nothing with --recipe detect"),
        ({"pretrained": True}, "pretrained: does nothing"),
        ({"fit": "crop"}, "lose what lies at the edges"),
        ({"input_size": 100}, "input-size: expected a multiple of 32, got 100"),
        ({"backbone": "mobilenet-tiny"}, "backbone: expected vgg-tiny"),
        ({"backbone": "no-such-thing"}, "backbone"),
    ],
)
def test_switches_that_mean_nothing_are_refused(
    items: Path, tmp_path: Path, said: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        run(params(items, tmp_path / "run", **said))
    assert not (tmp_path / "run" / "model.json").exists()


def test_tables_without_boxes_are_refused_and_odd_ones_said(items: Path, tmp_path: Path) -> None:
    frame = pl.read_parquet(items)
    frame.drop("boxes", "width").write_parquet(tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="has no column boxes, width; `okulo scan` reads COCO"):
        run(params(tmp_path / "a.parquet", tmp_path / "run"))
    none = pl.Series("boxes", [[]] * len(frame), dtype=pl.List(BOX))
    frame.with_columns(none).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(BadInput, match="expected boxes in train, got 90 pictures without any"):
        run(params(tmp_path / "b.parquet", tmp_path / "run"))
    odd = frame["boxes"].to_list()
    odd[0] = [{"x0": 70.0, "y0": 5.0, "x1": 70.0, "y1": 9.0, "label": "disc"}]
    odd[1], odd[-1] = None, [{"x0": 1.0, "y0": 1.0, "x1": 9.0, "y1": 9.0, "label": "dragon"}]
    frame.with_columns(pl.Series("boxes", odd, dtype=pl.List(BOX))).write_parquet(tmp_path / "c.parquet")
    report = run(params(tmp_path / "c.parquet", tmp_path / "run", epochs=1))
    assert report.findings.counts() == {"bad-box": 1, "unknown class": 1, "unlabelled": 1}
    assert torch.isfinite(torch.tensor(report.train_loss))
