"""Measuring a detector on a table with boxes."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.detectors import CLASSES, write_detector

from okulo.cli.evaluate import measure
from okulo.core.errors import BadInput
from okulo.core.protocols import silent
from okulo.core.table import BOX, Items
from okulo.evaluate.boxes import BoxesReport
from okulo.evaluate.measure import EvaluateParams
from okulo.io.images import encode_png
from okulo.io.tables import write_items
from okulo.runtime.modelfile import load


def table(folder: Path, boxes: list[list[dict[str, float | str]]], images: list[np.ndarray]) -> Path:
    for index, image in enumerate(images):
        (folder / f"{index}.png").write_bytes(encode_png(image))
    frame = pl.DataFrame(
        {
            "id": [str(index) for index in range(len(boxes))],
            "path": [f"{index}.png" for index in range(len(boxes))],
            "boxes": pl.Series(boxes, dtype=pl.List(BOX)),
        }
    )
    write_items(Items(frame, folder), folder / "items.parquet")
    return folder / "items.parquet"


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (60, 80, 3), dtype=np.uint8) for _ in range(3)]


def test_what_the_model_says_itself_is_found_whole(tmp_path: Path, images: list[np.ndarray]) -> None:
    model = write_detector(tmp_path, threshold=0.5)  # up to 100 of a class count
    truth = [
        [
            {**dict(zip(("x0", "y0", "x1", "y1"), map(float, box))), "label": CLASSES[label]}
            for box, label in zip(said["boxes"], said["labels"])
            if (box[2:] > box[:2]).all()  # one beyond the edge is cut to nothing
        ]
        for said in load(model).predict(images)
    ]
    truth[0].append({"x0": 0.0, "y0": 0.0, "x1": 9.0, "y1": 9.0, "label": "dragon"})
    items = table(tmp_path, [*truth, []], images)  # the last picture is missing
    report = measure(EvaluateParams(model=model, items=items, output=tmp_path / "out"), silent)
    assert isinstance(report, BoxesReport)
    assert (report.mean_precision, report.precision_at_50) == pytest.approx((1, 1))
    assert (report.pictures, report.unknown, len(report.findings)) == (3, 1, 1)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["boxes"] == report.boxes > 2


def test_tables_without_boxes_are_refused(tmp_path: Path, images: list[np.ndarray]) -> None:
    model = write_detector(tmp_path)
    items = table(tmp_path, [[], [], []], images)
    params = EvaluateParams(model=model, items=items, output=tmp_path / "out")
    with pytest.raises(BadInput, match="expected boxes of the model's classes, got none"):
        measure(params, silent)
    pl.read_parquet(items).drop("boxes").write_parquet(items)
    with pytest.raises(BadInput, match="has no column boxes; `okulo scan` reads COCO and YOLO"):
        measure(params, silent)
    assert not (tmp_path / "out").exists()
