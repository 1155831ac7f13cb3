"""Model files that are broken, foreign or hostile: one clear line, no crash, nothing read beside them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from okulo.core.errors import BadInput
from okulo.runtime import graph as graph_module
from okulo.runtime.modelfile import load, read_info


def changed(path: Path, to: Path, change: Callable[[ModelProto], None]) -> Path:
    model = onnx.load(path)
    change(model)
    to.write_bytes(model.SerializeToString())
    return to


def refused(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        load(path)
    message = str(caught.value)
    assert str(path) in message
    assert len(message) < 600
    return message


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(model_path: Path, tmp_path: Path, share: float) -> None:
    data = model_path.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: int(len(data) * share)])
    refused(path)


def test_what_is_no_onnx(tmp_path: Path) -> None:
    for name, data in {"text.onnx": b"hello, world\n", "net.pt": b"PK\x03\x04" + bytes(200)}.items():
        (tmp_path / name).write_bytes(data)
        assert "is no ONNX file, or only part of one" in refused(tmp_path / name)


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    assert "is a folder; a run folder is made a model file by `okulo export`" in refused(tmp_path)
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none.onnx")


def test_a_foreign_onnx_file_has_no_metadata(model_path: Path, tmp_path: Path) -> None:
    def strip(model: ModelProto) -> None:
        del model.metadata_props[:]

    message = refused(changed(model_path, tmp_path / "foreign.onnx", strip))
    assert "has no okulo metadata; `okulo export` writes model files" in message


def test_a_newer_format_asks_for_an_update(model_path: Path, tmp_path: Path) -> None:
    def age(model: ModelProto) -> None:
        next(each for each in model.metadata_props if each.key == "okulo.format").value = "7"

    path = changed(model_path, tmp_path / "new.onnx", age)
    assert "expected format ≤ 1, got 7; update okulo" in refused(path)
    with pytest.raises(BadInput, match="update okulo"):
        read_info(path)


@pytest.mark.parametrize("value", ["{", "[" * 100_000, json.dumps("nonsense"), '{"size": [0, 0]}', "null"])
def test_metadata_that_is_nonsense(model_path: Path, tmp_path: Path, value: str) -> None:
    def spoil(model: ModelProto) -> None:
        next(each for each in model.metadata_props if each.key == "okulo.preprocess").value = value

    refused(changed(model_path, tmp_path / "odd.onnx", spoil))


@pytest.mark.parametrize("where", ["/etc/passwd", "../secret.bin", "weights.bin"])
def test_data_outside_the_file_is_refused_and_not_read(model_path: Path, tmp_path: Path, where: str) -> None:
    def point_outside(model: ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=where)

    message = refused(changed(model_path, tmp_path / "outside.onnx", point_outside))
    assert where in message
    assert "refused, a model is one file" in message


def test_data_outside_hidden_in_an_inner_graph(model_path: Path, tmp_path: Path) -> None:
    def hide(model: ModelProto) -> None:
        tensor = numpy_helper.from_array(np.zeros(3, np.float32), "hidden")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
        inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], [])
        model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner))

    assert "/etc/passwd" in refused(changed(model_path, tmp_path / "hidden.onnx", hide))


def test_data_outside_hidden_in_a_function(model_path: Path, tmp_path: Path) -> None:
    def hide(model: ModelProto) -> None:
        tensor = numpy_helper.from_array(np.zeros(3, np.float32), "hidden")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
        node = helper.make_node("Constant", [], ["c"], value=tensor)
        opset = [helper.make_opsetid("", 18)]
        model.functions.append(helper.make_function("local", "Hidden", [], ["c"], [node], opset))

    assert "/etc/passwd" in refused(changed(model_path, tmp_path / "function.onnx", hide))


def test_another_input(model_path: Path, tmp_path: Path) -> None:
    def floats(model: ModelProto) -> None:
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT

    def planes(model: ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 1

    def named(model: ModelProto) -> None:
        model.graph.input[0].name = "data"

    def two(model: ModelProto) -> None:
        model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))

    assert "expected input 'image' as UINT8 [h, w, 3], got FLOAT" in refused(
        changed(model_path, tmp_path / "floats.onnx", floats)
    )
    assert "as UINT8 [h, w, 3]" in refused(changed(model_path, tmp_path / "planes.onnx", planes))
    assert "one input 'image', got ['data']" in refused(changed(model_path, tmp_path / "named.onnx", named))
    assert "['image', 'more']" in refused(changed(model_path, tmp_path / "two.onnx", two))


def test_a_graph_without_the_seam_or_the_outputs(model_path: Path, tmp_path: Path) -> None:
    def seamless(model: ModelProto) -> None:
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = ["other" if name == "pixels" else name for name in names]

    def mute(model: ModelProto) -> None:
        del model.graph.output[0]

    assert "no tensor 'pixels'" in refused(changed(model_path, tmp_path / "seam.onnx", seamless))
    assert "outputs probabilities (task classify)" in refused(changed(model_path, tmp_path / "m.onnx", mute))


def test_a_network_that_looks_past_the_seam(model_path: Path, tmp_path: Path) -> None:
    def peek(model: ModelProto) -> None:
        model.graph.node.append(helper.make_node("Identity", ["image"], ["peeked"]))
        model.graph.output.append(helper.make_tensor_value_info("peeked", TensorProto.UINT8, ["h", "w", 3]))

    assert "uses 'image' beside 'pixels'" in refused(changed(model_path, tmp_path / "peek.onnx", peek))


def test_operators_that_do_not_exist(model_path: Path, tmp_path: Path) -> None:
    def invent(model: ModelProto) -> None:
        next(node for node in model.graph.node if node.op_type == "Conv").op_type = "Convolve"

    assert "ONNX Runtime cannot load it" in refused(changed(model_path, tmp_path / "op.onnx", invent))


def test_classes_that_the_outputs_do_not_have(model_path: Path, tmp_path: Path) -> None:
    def more(model: ModelProto) -> None:
        next(each for each in model.metadata_props if each.key == "okulo.classes").value = '["a", "b"]'

    assert "2 classes" in refused(changed(model_path, tmp_path / "classes.onnx", more))


def test_a_file_too_large_is_not_read(
    model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_module, "MAX_BYTES", 1000)
    assert "a model file of less than 2 GB" in refused(model_path)
