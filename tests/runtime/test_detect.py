"""`okulo detect` on pictures and videos, with a small detector."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.detectors import CLASSES, write_detector

from okulo.core.errors import BadInput
from okulo.core.nouns import Detections
from okulo.io.images import encode_png, read_image
from okulo.io.video import write_video
from okulo.runtime.detect import DetectParams, run
from okulo.runtime.draw import draw
from okulo.runtime.modelfile import load


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_detector(tmp_path_factory.mktemp("detector"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(3)
    for index in range(5):
        image = rng.integers(0, 256, (40 + 9 * index, 60, 3), dtype=np.uint8)
        (folder / f"{index}.png").write_bytes(encode_png(image))
    return folder


def ask(detector: Path, *sources: Path | str, output: Path, **choices: object) -> DetectParams:
    return DetectParams(model=detector, sources=tuple(map(str, sources)), output=output, **choices)


def test_rows_are_what_the_model_says_of_each_picture(detector: Path, folder: Path, tmp_path: Path) -> None:
    report = run(ask(detector, folder, output=tmp_path / "a.parquet", workers=3))
    frame = pl.read_parquet(tmp_path / "a.parquet")
    assert frame.columns == ["path", "x1", "y1", "x2", "y2", "score", "label"]
    model = load(detector)
    for index in range(5):
        said = model.predict([read_image(folder / f"{index}.png")])[0]
        rows = frame.filter(pl.col("path").str.ends_with(f"{index}.png"))
        np.testing.assert_allclose(
            rows.select("x1", "y1", "x2", "y2").to_numpy(), said["boxes"], rtol=1e-5, atol=1e-4
        )
        assert rows["label"].to_list() == [CLASSES[label] for label in said["labels"]]
    assert report.pictures == 5 and report.found == len(frame) == sum(report.counts.values()) > 0


def test_a_broken_picture_is_named_and_the_rest_answered(
    detector: Path, folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG no")
    report = run(ask(detector, folder / "0.png", broken, output=tmp_path / "a.json", draw=tmp_path / "drawn"))
    assert report.pictures == 1 and "broken.png" in report.findings.frame["item"][0]
    said = json.loads((tmp_path / "a.json").read_text())
    assert said[0]["width"] == 60 and len(said[0]["objects"]) == report.found
    assert [each.name for each in (tmp_path / "drawn").iterdir()] == ["0.jpg"]


def test_labels_and_threshold_choose(detector: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    run(ask(detector, folder, output=out, labels=("bee",), threshold=0.5))
    frame = pl.read_parquet(out)
    assert set(frame["label"]) <= {"bee"} and (frame["score"] > 0.5).all()
    run(ask(detector, folder, output=out, threshold=1.0))
    assert len(pl.read_parquet(out)) == 0


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    rng = np.random.default_rng(0)
    with write_video(path, width=64, height=48) as writer:
        for number in range(11):
            writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), number / 10)
    return path


def test_a_video_gives_frames_with_their_times_and_is_drawn(
    detector: Path, video: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.parquet"
    report = run(ask(detector, video, output=out, draw=tmp_path / "b.mp4", every=2, seconds=0.65))
    frame = pl.read_parquet(out)
    assert report.pictures == 4 and (tmp_path / "b.mp4").stat().st_size > 500
    assert frame.columns[:3] == ["source", "frame", "time_s"]
    assert frame.select("frame", "time_s").unique(maintain_order=True).rows() == [
        (number, pytest.approx(number / 10, abs=1e-3)) for number in (0, 2, 4, 6)
    ]


@pytest.mark.parametrize(
    ("sources", "choices", "said"),
    [
        (["rtsp://127.0.0.1:9/a"], {}, "--seconds: a camera or stream has no end"),
        (["rtsp://127.0.0.1:9/a"], {"seconds": 1.0}, "cannot be opened"),
        (["camera:77"], {"seconds": 1.0}, "camera:77: cannot be opened"),
        (["a.mp4", "b.png"], {}, "expected one video, or pictures, got a.mp4 among 2"),
        (["none.mp4"], {}, "does not exist"),
        (["none.png"], {}, "does not exist"),
        ([], {}, "expected pictures, or a video, got nothing"),
        (["a.png"], {"output": Path("a.jpg")}, "drawings go to --draw"),
        (["a.mp4"], {"draw": Path("drawn")}, "expected an .mp4 for a video, got drawn"),
        (["a.png"], {"draw": Path("drawn.mp4")}, "expected a folder for pictures"),
        (["a.png"], {"labels": ("dog",)}, r"expected classes of the model \(ant, bee, cat\), got dog"),
    ],
)
def test_bad_input_is_said_plainly(
    detector: Path, tmp_path: Path, sources: list[str], choices: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        run(ask(detector, *sources, **({"output": tmp_path / "a.parquet"} | choices)))
    assert not list(tmp_path.iterdir())


def test_a_broken_video_and_a_classifier_are_refused(
    detector: Path, model_path: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "a.mp4"
    broken.write_bytes(b"no video at all" * 50)
    with pytest.raises(BadInput, match="is no video that can be read"):
        run(ask(detector, broken, output=tmp_path / "a.parquet"))
    with pytest.raises(BadInput, match="expected a model that detects, got task classify"):
        run(ask(model_path, broken, output=tmp_path / "a.parquet"))


def test_drawing_changes_the_copy_only() -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    found = Detections(np.float32([[5, 20, 60, 50]]), np.float32([0.7]), np.int32([1]))
    assert (draw(image, found, CLASSES)[50, 10:50] == (245, 158, 11)).all() and not image.any()
