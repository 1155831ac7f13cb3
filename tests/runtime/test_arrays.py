from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from okulo.core.arraymodel import ArrayInfo
from okulo.core.errors import BadInput
from okulo.runtime.arrays import load_arrays, write_arrays
from okulo.runtime.modelfile import load


def write(path: Path, inputs: tuple[str, ...] = ("described",), output: str = "normals") -> None:
    """A model that answers each face's first vector."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["described"], [output])],
        "first",
        [helper.make_tensor_value_info("described", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    write_arrays(model, ArrayInfo(task="normals", architecture="first", inputs=inputs), path)


def test_arrays_go_in_by_name_and_come_out_by_name(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx")
    file = load_arrays(tmp_path / "a.onnx")
    given = np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(file.run({"described": given, "other": given})["normals"], given)
    with pytest.raises(BadInput, match="expected inputs described"):
        file.run({})
    with pytest.raises(BadInput, match="cannot run on these inputs"):
        file.run({"described": np.zeros((2, 7), np.float32)})


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no")
    with pytest.raises(BadInput, match=r"no\.onnx"):
        load_arrays(tmp_path / "no.onnx")
    write(tmp_path / "a.onnx", inputs=("described", "ring"))
    with pytest.raises(BadInput, match="expected inputs described, ring"):
        load_arrays(tmp_path / "a.onnx")
    write(tmp_path / "b.onnx", output="something")
    with pytest.raises(BadInput, match="output normals"):
        load_arrays(tmp_path / "b.onnx")
    write(tmp_path / "c.onnx")
    with pytest.raises(BadInput, match=r"c\.onnx"):
        load(tmp_path / "c.onnx")  # takes pictures
