"""The model file as a Predictor, and what it says of itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.models import CLASSES
from tests.outside import needs
from tests.predictors import Fake, check_predictor, pictures

from okulo.core.errors import BadInput
from okulo.core.model import Threshold
from okulo.runtime.graph import INPUT, SEAM
from okulo.runtime.modelfile import load, load_whole, read_info, write_info


def test_keeps_the_promises_of_a_predictor(model_path: Path, embedder_path: Path) -> None:
    check_predictor(load(model_path, batch_size=2), pictures())
    check_predictor(load(embedder_path), pictures())
    check_predictor(Fake(), pictures())


def test_answers_probabilities_and_an_embedding(model_path: Path) -> None:
    answer = load(model_path).predict(pictures(1))[0]
    assert answer["probabilities"].shape == (len(CLASSES),)
    assert answer["probabilities"].sum() == pytest.approx(1, abs=1e-6)
    assert answer["embedding"].dtype == np.float32


def test_an_embedder_answers_its_embedding_only(embedder_path: Path) -> None:
    assert list(load(embedder_path).predict(pictures(1))[0]) == ["embedding"]


def test_compiled_preprocessing_is_used_and_equals_the_graph_to_the_bit(model_path: Path) -> None:
    file = load(model_path)
    assert file.compiled
    for image in pictures(6):
        quick = file.prepare(image)
        file.compiled = False
        np.testing.assert_array_equal(quick, file.prepare(image))
        np.testing.assert_array_equal(quick, file.prepare(image, file.blank(1)[0]))
        file.compiled = True


def test_a_graph_that_prepares_otherwise_is_believed(model_path: Path, tmp_path: Path) -> None:
    model = onnx.load(model_path)
    for node in model.graph.node:  # "no rounding": another pre-processing than compiled code's
        if node.op_type == "Floor":
            node.op_type = "Identity"
    path = tmp_path / "other.onnx"
    onnx.save(model, path)
    file, whole = load(path), load_whole(path)
    assert not file.compiled
    image = pictures(1)[0]
    got = file.predict([image])[0]["probabilities"]
    np.testing.assert_allclose(got, whole.run({INPUT: image})["probabilities"][0], atol=1e-6)


def test_the_unsplit_graph_answers_the_same(model_path: Path) -> None:
    file, whole = load(model_path), load_whole(model_path)
    for image, answer in zip(pictures(), file.predict(pictures())):
        for name, value in whole.run({INPUT: image}).items():
            np.testing.assert_allclose(answer[name], value[0], atol=1e-6)


def test_the_threshold_is_rewritten_and_the_graph_left_alone(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.onnx"
    path.write_bytes(model_path.read_bytes())
    chosen = replace(read_info(path), threshold=Threshold(value=0.75, how="by hand"))
    write_info(path, chosen)
    assert read_info(path) == chosen
    assert onnx.load(path).graph == onnx.load(model_path).graph
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("engine", ["openvino", "openvino-bf16"])
def test_openvino_is_compared_with_onnxruntime(model_path: Path, engine: str) -> None:
    needs("openvino")
    file = load(model_path, engine)
    assert file.agreement is not None
    assert file.agreement < (1e-4 if engine == "openvino" else 0.1)
    check_predictor(load(model_path, "openvino"), pictures())


def test_an_unknown_engine_names_the_known_ones(model_path: Path) -> None:
    with pytest.raises(
        BadInput, match="expected one of onnxruntime, openvino, openvino-bf16, got 'tensorrt'"
    ):
        load(model_path, "tensorrt")


def test_pictures_of_the_wrong_kind_are_refused(model_path: Path) -> None:
    with pytest.raises(BadInput, match="image: expected uint8"):
        load(model_path).predict([np.zeros((4, 4), np.uint8)])


def test_the_network_takes_any_batch(model_path: Path) -> None:
    file = load(model_path)
    pixels = np.zeros((9, 3, *file.info.preprocess.size), np.float32)
    assert file.answer(pixels)["probabilities"].shape == (9, 3)
    assert any(SEAM in node.output for node in onnx.load(model_path).graph.node)
