"""What a network looks at, found in its model file: a network made here that likes red."""

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo, Preprocess
from okulo.runtime.attention import attended, last_maps, load_attention, placed
from okulo.runtime.graph import read_model, split, write_model


def likes_red(path: Path, *, maps: bool = True, side: int = 16) -> Path:
    """A model file for pictures of `side` px: one convolution, relu(red - (green + blue)), pooled."""
    weights = np.float32([1, -1, -1]).reshape(1, 3, 1, 1).repeat(2, axis=0)
    small = ["planes", "pixels"]
    head = [
        helper.make_node("Conv", ["pixels", "weights"], ["seen"], name="seen"),
        helper.make_node("Relu", ["seen"], ["liked"]),
        helper.make_node("ReduceMean", ["liked", "plane"], ["embedding"], keepdims=0),
    ]
    if not maps:
        head = [helper.make_node("ReduceMean", ["pixels", "plane"], ["embedding"], keepdims=0)]
    nodes = [
        helper.make_node("Transpose", ["image"], ["first"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", ["first", "zero"], ["whole"]),
        helper.make_node("Cast", ["whole"], [small[0]], to=TensorProto.FLOAT),
        helper.make_node("Resize", [small[0], "", "", "sizes"], [small[1]], mode="linear", antialias=1),
        *head,
    ]
    stored = {"zero": np.array([0]), "plane": np.array([2, 3]), "weights": weights,
              "sizes": np.array([1, 3, side, side])}  # fmt: skip
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "net",
        [value("image", TensorProto.UINT8, ["h", "w", 3])],
        [value("embedding", TensorProto.FLOAT, ["n", 2 if maps else 3])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
        value_info=[value("pixels", TensorProto.FLOAT, ["n", 3, side, side])],
    )  # fmt: skip
    info = ModelInfo(task="embed", preprocess=Preprocess(size=(side, side)))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    write_model(made, info, path)
    return path


def test_it_looks_at_what_its_maps_are_high_for(tmp_path: Path) -> None:
    attention = load_attention(likes_red(tmp_path / "net.onnx"))
    scene = np.random.default_rng(0).integers(60, 120, (120, 160, 3), dtype=np.uint8)
    scene[30:60, 100:140] = (250, 20, 20)
    scene[90:96, 10:16] = (250, 20, 20)  # red too, but little of it
    left, top, right, bottom = attention.box(scene)
    assert abs(left - 100) <= 8
    assert abs(right - 140) <= 8
    assert abs(top - 30) <= 6
    assert abs(bottom - 60) <= 6
    assert attention(scene).shape == (bottom - top, right - left, 3)
    assert attention(np.zeros((1, 1, 3), np.uint8)).shape == (1, 1, 3)


def test_a_network_without_maps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no maps to look at"):
        load_attention(likes_red(tmp_path / "net.onnx", maps=False))


def test_the_maps_are_the_last_convolutions_after_its_activation(tmp_path: Path) -> None:
    def network() -> ModelProto:
        return split(read_model(likes_red(tmp_path / "net.onnx")))[1]

    assert last_maps(network()) == "liked"
    twice = network()  # whoever else reads the convolution: what follows is not it alone
    twice.graph.node.append(helper.make_node("Neg", ["seen"], ["other"]))
    assert last_maps(twice) == "seen"


def test_maps_that_are_as_high_everywhere_keep_all() -> None:
    assert attended(np.ones((3, 7, 7), np.float32)) == (0, 0, 1, 1)
    assert attended(np.zeros((1, 1, 1), np.float32)) == (0, 0, 1, 1)
    assert attended(-np.ones((2, 4, 4), np.float32)) == (0, 0, 1, 1)


def test_boxes_are_placed_as_the_picture_was_prepared() -> None:
    for fit in ("stretch", "crop", "letterbox"):
        said = Preprocess(size=(32, 32), fit=fit)
        assert placed((0.25, 0.25, 0.75, 0.75), 64, 64, said) == (16, 16, 48, 48)
    letterbox = Preprocess(size=(32, 32), fit="letterbox")
    assert placed((0, 0, 1, 1), 100, 200, letterbox) == (0, 0, 200, 100)
    assert placed((0.25, 0.5, 0.5, 1), 100, 200, letterbox) == (50, 50, 100, 100)
    tall = Preprocess(size=(32, 32), fit="crop")
    assert placed((0, 0, 1, 1), 200, 100, tall) == (0, 50, 100, 150)
