"""Footprints behind a served network: split, worked off in other processes, joined to GeoJSON."""

import json

import numpy as np
import pytest
import shapely

from okulo.apps.footprints.simulate import simulate
from okulo.apps.footprints.stage import Footprints, to_bytes
from okulo.core.errors import BadInput
from okulo.serve.isolated import Isolated
from okulo.serve.named import find_postprocess
from okulo.serve.wire import packed, unpack


def test_a_probability_map_becomes_geojson_over_processes(monkeypatch) -> None:
    monkeypatch.setattr("okulo.apps.footprints.stage.GROUP", 4)
    scene = simulate(9, noise="light", rng=np.random.default_rng(1))
    answer = {"masks": scene.probability[None]}
    stage = find_postprocess("footprints")
    height, width = (2 * side for side in scene.probability.shape)
    pieces = stage.split(answer, height, width)
    assert [len(piece["confidence"]) for piece in pieces] == [4, 4, 1]
    sent = sum(len(packed(piece)) for piece in pieces)
    assert sent < scene.probability.size / 2, "less than the mask in bytes"
    worker = Isolated("footprints")
    try:
        results = [each for piece in pieces for each in worker.predict([piece])]
    finally:
        worker.close()
    said = stage.join(answer, height, width, results)
    assert said == stage.join(answer, height, width, unpack(packed(stage.predict(pieces))))
    assert len(said["features"]) == 9
    truth = [shapely.Polygon(rings[0] * 2) for rings in scene.truth.rings]
    for each in json.loads(json.dumps(said))["features"]:
        shape = shapely.from_geojson(json.dumps(each["geometry"]))
        assert max(shape.intersection(t).area / shape.union(t).area for t in truth) > 0.95
        assert each["properties"]["status"] == "regular"


def test_an_answer_without_masks_is_refused() -> None:
    with pytest.raises(BadInput, match=r"(wanted|expected) an output 'masks'"):
        Footprints().split({"probabilities": np.zeros(2, np.float32)}, 4, 4)


def test_an_empty_mask_gives_an_empty_collection() -> None:
    answer = {"masks": np.zeros((1, 8, 8), np.float32)}
    assert Footprints().split(answer, 8, 8) == []
    assert Footprints().join(answer, 8, 8, []) == {"type": "FeatureCollection", "features": []}


def test_bytes_divide_where_probabilities_do_and_holes_are_outside() -> None:
    mask = np.float32([[0.0, 0.4999, 0.5, 1.0, np.nan, -3.0, 7.0]])
    assert to_bytes(mask).tolist() == [[0, 127, 128, 255, 0, 0, 255]]
