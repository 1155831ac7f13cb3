"""A Triton repository, read by Triton's own schema, and its parts run one after the other."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tests.models import bundle
from tests.predictors import pictures

from okulo.core.errors import BadInput
from okulo.export.triton import write_triton
from okulo.export.write import write
from okulo.runtime.graph import read_model
from okulo.runtime.modelfile import load

# model_config.proto of tritonclient 2.73.0 (BSD-3-Clause, NVIDIA), as a compiled descriptor.
SCHEMA = Path(__file__).with_name("triton_model_config.binpb")


def parse(path: Path) -> Any:
    file = descriptor_pb2.FileDescriptorProto.FromString(SCHEMA.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = pool.FindMessageTypeByName("inference.ModelConfig")
    return text_format.Parse(path.read_text(), message_factory.GetMessageClass(kind)())


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triton")
    write(bundle(), folder / "m.onnx")
    made = write_triton(read_model(folder / "m.onnx"), folder / "models", "small")
    assert [each.name for each in made] == ["small_preprocess", "small_network", "small"]
    return folder


def test_the_network_gathers_batches(repository: Path) -> None:
    config = parse(repository / "models" / "small_network" / "config.pbtxt")
    assert (config.name, config.backend, config.max_batch_size) == ("small_network", "onnxruntime", 64)
    assert config.HasField("dynamic_batching")
    assert config.dynamic_batching.max_queue_delay_microseconds == 2000
    assert list(config.input[0].dims) == [3, 23, 31]
    assert [output.name for output in config.output] == ["probabilities", "embedding"]


def test_the_ensemble_leads_from_a_picture_to_answers(repository: Path) -> None:
    config = parse(repository / "models" / "small" / "config.pbtxt")
    assert config.platform == "ensemble"
    assert list(config.input[0].dims) == [-1, -1, 3]
    first, second = config.ensemble_scheduling.step
    assert (first.model_name, second.model_name) == ("small_preprocess", "small_network")
    assert dict(first.output_map) == dict(second.input_map) == {"pixels": "pixels"}
    assert set(second.output_map) == {"probabilities", "embedding"}
    assert (repository / "models" / "small" / "1").is_dir()


def test_its_parts_answer_as_the_file_does_and_match_their_configs(repository: Path) -> None:
    parts = {}
    for part in ("small_preprocess", "small_network"):
        session = ort.InferenceSession(repository / "models" / part / "1" / "model.onnx")
        config = parse(repository / "models" / part / "config.pbtxt")
        assert [each.name for each in session.get_inputs()] == [each.name for each in config.input]
        assert {each.name for each in session.get_outputs()} >= {each.name for each in config.output}
        parts[part] = session
    images = pictures(3)
    pixels = [parts["small_preprocess"].run(None, {"image": image})[0] for image in images]
    got = parts["small_network"].run(["probabilities"], {"pixels": np.concatenate(pixels)})[0]
    wanted = load(repository / "m.onnx").predict(images)
    np.testing.assert_allclose(got, [each["probabilities"] for each in wanted], atol=1e-6)


def test_a_name_that_is_no_folder_name_is_refused(repository: Path) -> None:
    with pytest.raises(BadInput, match="name: expected letters, digits, - and _"):
        write_triton(read_model(repository / "m.onnx"), repository / "x", "../up")
