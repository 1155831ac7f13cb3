import json
from typing import Any

import pytest

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo, Preprocess, Threshold

INFO = ModelInfo(
    task="classify",
    classes=("cat", "dog"),
    preprocess=Preprocess(size=(28, 32), fit="crop", mean=(0.5, 0.5, 0.5)),
    threshold=Threshold(value=0.5, how="by hand", kept=0.9),
    metrics={"accuracy": 0.9},
    notes={"parity": {"max_difference": 1e-6}},
)


def test_what_is_written_is_read_back() -> None:
    assert ModelInfo.from_json(json.loads(json.dumps(INFO.to_json()))) == INFO


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": None}, "has no okulo metadata"),
        ({"format": 99}, "expected format ≤ 1, got 99; update okulo"),
        ({"task": "sing"}, "task: expected one of"),
        ({"preprocess": None}, "its okulo metadata cannot be read"),
        ({"preprocess": {"size": [28]}}, "cannot be read|size"),
        ({"classes": ["cat", "cat"]}, "classes: expected each name once"),
        ({"classes": ["cat"]}, "two or more"),
        ({"threshold": {"value": 2}}, "threshold: expected a probability"),
        ({"threshold": {"cutoff": 0.5}}, "cannot be read"),
    ],
)
def test_odd_metadata_is_refused_clearly(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ModelInfo.from_json(INFO.to_json() | change)
