"""Pre-processing as an ONNX graph: `image` (uint8 h × w × 3, any size) to `pixels`, exactly `algo.resize`.

It is written by hand, not traced: weights are made inside the graph from the picture's size with int64
arithmetic, and applied by two MatMuls whose float32 sums are exact. Only plain operators are used (no Resize,
whose antialiasing TensorRT lacks and whose edges are wrong in ONNX Runtime unless `exclude_outside=1`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from okulo.algo.resize import BETWEEN_BITS, COLUMN_BITS, ROW_BITS
from okulo.core.model import Preprocess

PREFIX = "okulo/"


class Builder:
    """Collects nodes and constants; each call gives back the name of what it made."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: int | float | Sequence[int] | np.ndarray) -> str:
        """Add a constant: whole numbers become int64, fractions float32."""
        array = np.asarray(value)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        name = f"{PREFIX}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def __call__(
        self, kind: str, *inputs: str | int | float | list[int], to: str = "", **attributes: Any
    ) -> str:
        """Add a node; inputs that are no names become constants."""
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        name = to or f"{PREFIX}{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, names, [name], name=f"{PREFIX}node_{len(self.nodes)}", **attributes)
        )
        return name

    def cast(self, name: str) -> str:
        """Turn whole numbers into float32."""
        made = f"{PREFIX}cast_{len(self.nodes)}"
        self.nodes.append(helper.make_node("Cast", [name], [made], name=f"{made}_node", to=TensorProto.FLOAT))
        return made


def picture_graph(preprocess: Preprocess) -> tuple[list[NodeProto], list[TensorProto]]:
    """Make the nodes and constants that lead from `image` to `pixels` (1, 3, H, W)."""
    do = Builder()
    image = _cut(do, preprocess)
    shape = do("Shape", image)
    height, width = do("Gather", shape, 0), do("Gather", shape, 1)
    columns = do("Reshape", do.cast(image), [0, -1])
    down = _weights(do, height, preprocess.size[0], COLUMN_BITS)
    rows = _whole(do, do("MatMul", down, columns), BETWEEN_BITS - COLUMN_BITS)
    planes = do("Transpose", do("Reshape", rows, [0, -1, 3]), perm=[2, 0, 1])
    across = do("Transpose", _weights(do, width, preprocess.size[1], ROW_BITS), perm=[1, 0])
    levels = _whole(do, do("MatMul", planes, across), -(BETWEEN_BITS + ROW_BITS))
    share = do("Div", do("Unsqueeze", levels, [0]), 255.0)
    mean, std = (np.array(each, np.float32).reshape(1, 3, 1, 1) for each in (preprocess.mean, preprocess.std))
    do("Div", do("Sub", share, do.constant(mean)), do.constant(std), to="pixels")
    return do.nodes, do.constants


def _cut(do: Builder, preprocess: Preprocess) -> str:
    """Cut the centred part of the wanted proportions, as `Preprocess.window` does."""
    if preprocess.fit == "stretch":
        return "image"
    shape = do("Shape", "image")
    height, width = do("Gather", shape, [0]), do("Gather", shape, [1])
    tall, wide = preprocess.size
    high = do("Min", height, do("Max", [1], do("Div", do("Mul", width, [tall]), [wide])))
    broad = do("Min", width, do("Max", [1], do("Div", do("Mul", height, [wide]), [tall])))
    top = do("Div", do("Sub", height, high), [2])
    left = do("Div", do("Sub", width, broad), [2])
    first = do("Concat", top, left, axis=0)
    last = do("Concat", do("Add", top, high), do("Add", left, broad), axis=0)
    return do("Slice", "image", first, last, [0, 1])


def _weights(do: Builder, length: str, wanted: int, bits: int) -> str:
    """Make `algo.resize.weights` from a length that is known only at run time: float32 (wanted, length)."""
    pixel = do("Mul", do("Add", do("Mul", do("Range", 0, length, 1), 2), 1), wanted)
    centre = do("Mul", do.constant(2 * np.arange(wanted)[:, None] + 1), length)
    widest = do("Mul", do("Max", length, wanted), 2)
    share = do("Max", do("Sub", widest, do("Abs", do("Sub", pixel, centre))), 0)
    total = do("ReduceSum", share, [1], keepdims=1)
    running = do("Add", do("Mul", do("CumSum", share, 1), 2 << bits), total)
    running = do("Div", running, do("Mul", total, 2))
    before = do("Slice", do("Pad", running, [0, 1, 0, 0], 0), [0], [-1], [1])
    return do.cast(do("Sub", running, before))


def _whole(do: Builder, sums: str, power: int) -> str:
    """Scale by 2^power and round half up."""
    return do("Floor", do("Add", do("Mul", sums, 2.0**power), 0.5))
