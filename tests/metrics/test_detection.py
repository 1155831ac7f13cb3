"""Average precision by hand, and against the figures of faster-coco-eval."""

import json
from pathlib import Path

import numpy as np
import pytest

from okulo.core.errors import BadInput
from okulo.core.nouns import Detections
from okulo.metrics.detection import average_precision

CLASSES = 4
GOLDEN = Path(__file__).parent / "detection_golden.json"
"""What faster-coco-eval 1.8 says of `pictures(seed)`: AP, AP at .5, AP at .75 (see `as_coco`)."""


def pictures(seed: int, count: int = 30) -> tuple[list[Detections], list[Detections]]:
    """Truth, and guesses near it, doubled, missed, invented, with ties among the scores."""
    rng = np.random.default_rng(seed)
    truth, guess = [], []
    for _ in range(count):
        n = int(rng.integers(0, 8))
        start, side = rng.integers(0, 200, (n, 2)), rng.integers(8, 60, (n, 2))
        label = rng.integers(0, CLASSES - 1, n)
        truth.append(boxes(start, side, np.ones(n), label))
        twice = np.concatenate([np.arange(n), rng.integers(0, n, n // 2 if n else 0)])
        extra = int(rng.integers(0, 3))
        near = np.concatenate(
            [start[twice] + rng.integers(-4, 5, (len(twice), 2)), rng.integers(0, 200, (extra, 2))]
        )
        size = np.concatenate(
            [
                np.maximum(1, side[twice] + rng.integers(-5, 6, (len(twice), 2))),
                rng.integers(8, 60, (extra, 2)),
            ]
        )
        said = np.concatenate([label[twice], rng.integers(0, CLASSES - 1, extra)])
        kept = rng.random(len(said)) > 0.15
        score = rng.integers(1, 1000, len(said)) / 1000
        guess.append(boxes(near[kept], size[kept], score[kept], said[kept]))
    return truth, guess


def boxes(start: np.ndarray, side: np.ndarray, score: np.ndarray, label: np.ndarray) -> Detections:
    xyxy = np.concatenate([start, start + side], axis=1).astype(np.float32)
    return Detections(xyxy, score.astype(np.float32), label.astype(np.int32))


def as_coco(truth: list[Detections], guess: list[Detections]) -> dict[str, object]:
    """The same as COCO's two files: how the golden figures were made."""

    def rows(some: list[Detections]) -> list[dict[str, object]]:
        return [
            {
                "image_id": index + 1, "category_id": int(label) + 1, "score": float(score), "iscrowd": 0,
                "bbox": [float(b[0]), float(b[1]), float(b[2] - b[0]), float(b[3] - b[1])],
                "area": float((b[2] - b[0]) * (b[3] - b[1])),
            }
            for index, each in enumerate(some)
            for b, score, label in zip(each.xyxy, each.score, each.label)
        ]  # fmt: skip

    annotations = [{**row, "id": index + 1} for index, row in enumerate(rows(truth))]
    images = [{"id": index + 1, "width": 300, "height": 300} for index in range(len(truth))]
    categories = [{"id": index + 1, "name": str(index)} for index in range(CLASSES)]
    return {"gt": {"images": images, "annotations": annotations, "categories": categories}, "dt": rows(guess)}


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_a_coco_library_says(seed: int) -> None:
    measured = average_precision(*pictures(seed), classes=CLASSES)
    wanted = json.loads(GOLDEN.read_text())[seed]
    assert [measured.mean, measured.at_50, measured.at_75] == pytest.approx(wanted, abs=1e-9)


def one(*rows: tuple[float, int]) -> Detections:
    """Boxes 10 wide and so many high, of these scores."""
    xyxy = np.float32([[0, 0, 10, high] for _, high in rows]).reshape(-1, 4)
    return Detections(xyxy, np.float32([score for score, _ in rows]), np.zeros(len(rows), np.int32))


def test_by_hand() -> None:
    there = one((1, 10))
    assert average_precision([there], [there], classes=1).mean == pytest.approx(1)
    assert average_precision([there], [one()], classes=1).mean == 0
    # The surest is wrong (overlap .4), the second right: precision is 1/2 at every recall.
    assert average_precision([there], [one((0.9, 4), (0.8, 10))], classes=1).mean == pytest.approx(0.5)
    # Two for one truth: the second is wrong, but recall is already whole.
    assert average_precision([there], [one((0.9, 10), (0.8, 10))], classes=1).mean == pytest.approx(1)


def test_a_class_without_truth_is_left_out() -> None:
    measured = average_precision([one((1, 10))], [one((1, 10))], classes=3)
    assert measured.mean == pytest.approx(1) and np.isnan(measured.by_class()[1:]).all()
    assert np.isnan(average_precision([one()], [one((0.5, 9))], classes=1).mean)
    assert np.isnan(average_precision([], [], classes=2).mean)


def test_labels_beyond_the_classes_are_refused() -> None:
    with pytest.raises(BadInput, match="truth: expected classes 0 to 0, got 2"):
        average_precision(pictures(0)[0], pictures(0)[1], classes=1)
