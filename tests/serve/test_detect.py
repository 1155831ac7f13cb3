"""A detector behind the server's stages says what the model file says, in plain words."""

from pathlib import Path

import numpy as np
from tests.detectors import CLASSES, write_detector

from okulo.runtime.engines import open_session
from okulo.runtime.graph import read_model, split
from okulo.runtime.modelfile import load
from okulo.serve.decode import Answers, Prepare
from okulo.serve.network import GraphNetwork
from okulo.serve.predict import describe


def test_objects_are_those_of_the_model_file(tmp_path: Path) -> None:
    path = write_detector(tmp_path)
    file = load(path)
    before, after = split(read_model(path))
    network = GraphNetwork(file.info, open_session(before, threads=1), open_session(after, threads=1))
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (60, 80, 3), dtype=np.uint8) for _ in range(3)]
    seen = Answers(network).predict(Prepare(network, 10**6).predict(images))
    for each, wanted in zip(seen, file.predict(images)):
        np.testing.assert_allclose(each.answer["boxes"], wanted["boxes"], rtol=1e-5, atol=1e-4)
        said = describe(each, file.info, top=5)
        assert [one["label"] for one in said["objects"]] == [CLASSES[label] for label in wanted["labels"]]
        assert said["objects"][0]["box"] == each.answer["boxes"][0].tolist()
        assert "boxes" not in said and "boxes" in describe(each, file.info, 5, ("boxes",))
