"""A model file that segments pictures of simulated buildings: what it costs is set, what it says is known.

The picture's grey is the probability that a network would say; a stack of convolutions with small random
weights is added to it, so that the masks stay those of the scene while the network costs what one costs.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from okulo.core.model import ModelInfo, Preprocess
from okulo.runtime.graph import write_model

FLOAT = TensorProto.FLOAT


def stored(name: str, value: object, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value, dtype), name)


def convolutions(layers: int, channels: int) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto], str]:
    """Half resolution, `layers` 3 × 3 convolutions of `channels`, back to one plane of full resolution."""
    rng = np.random.default_rng(0)
    nodes, weights, name, before = [], [], "pixels", 3
    for layer in range(layers):
        scale = np.sqrt(2 / (9 * before))
        weights.append(stored(f"w{layer}", rng.standard_normal((channels, before, 3, 3)) * scale))
        stride = [2, 2] if layer == 0 else [1, 1]
        nodes += [
            helper.make_node("Conv", [name, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1], strides=stride),
            helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]),
        ]
        name, before = f"r{layer}", channels
    weights.append(stored("up", rng.standard_normal((before, 1, 2, 2)) * 1e-4))
    nodes.append(helper.make_node("ConvTranspose", [name, "up"], ["extra"], strides=[2, 2]))
    return nodes, weights, "extra"


def write_segmenter(path: Path, side: int, layers: int, channels: int) -> Path:
    """Write it for pictures of `side` × `side` pixels (others are stretched)."""
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", ["planes", "first"], ["one"]),
        helper.make_node("Cast", ["one"], ["wide"], to=FLOAT),
        helper.make_node("Resize", ["wide", "", "", "sizes"], ["small"], mode="linear", antialias=1),
        helper.make_node("Round", ["small"], ["whole"]),
        helper.make_node("Clip", ["whole", "low", "high"], ["bytes"]),
        helper.make_node("Div", ["bytes", "high"], ["pixels"]),
        helper.make_node("ReduceMean", ["pixels", "first_axis"], ["grey"], keepdims=1),
    ]
    more, weights, extra = convolutions(layers, channels)
    nodes += [*more, helper.make_node("Add", ["grey", extra], ["sum"])]
    nodes.append(helper.make_node("Clip", ["sum", "low", "unit"], ["masks"]))
    weights += [
        stored("first", [0], np.int64),
        stored("first_axis", [1], np.int64),
        stored("sizes", [1, 3, side, side], np.int64),
        stored("low", 0),
        stored("high", 255),
        stored("unit", 1),
    ]
    graph = helper.make_graph(
        nodes,
        "segmenter",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["h", "w", 3])],
        [helper.make_tensor_value_info("masks", FLOAT, ["n", 1, side, side])],
        weights,
        value_info=[helper.make_tensor_value_info("pixels", FLOAT, ["n", 3, side, side])],
    )
    info = ModelInfo(
        task="segment",
        classes=("building",),
        preprocess=Preprocess(size=(side, side), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        name="segmenter",
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    write_model(model, info, path)
    return path
