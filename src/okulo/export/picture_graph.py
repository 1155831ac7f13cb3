"""Pre-processing as an ONNX graph: `image` (uint8 h × w × 3, any size) to `pixels`, exactly `algo.resize`.

It is written by hand, not traced: weights are made inside the graph from the picture's size with int64
arithmetic, and applied by two MatMuls whose float32 sums are exact. Only plain operators are used (no Resize,
whose antialiasing TensorRT lacks and whose edges are wrong in ONNX Runtime unless `exclude_outside=1`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from okulo.algo.bands import BETWEEN_BITS, COLUMN_BITS, ROW_BITS
from okulo.core.model import GREY, Preprocess

PREFIX = "okulo/"


class Builder:
    """Collects nodes and constants; each call gives back the name of what it made."""

    def __init__(self, prefix: str = PREFIX) -> None:
        self.prefix = prefix
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: int | float | Sequence[int] | np.ndarray) -> str:
        """Add a constant: whole numbers become int64, fractions float32."""
        array = np.asarray(value)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        name = f"{self.prefix}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def __call__(
        self, kind: str, *inputs: str | int | float | list[int], to: str = "", **attributes: Any
    ) -> str:
        """Add a node; inputs that are no names become constants."""
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        name = to or f"{self.prefix}{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, names, [name], name=f"{self.prefix}node_{len(self.nodes)}", **attributes)
        )
        return name

    def cast(self, name: str, kind: int = TensorProto.FLOAT) -> str:
        """Turn numbers into another kind: float32, if none is named."""
        made = f"{self.prefix}cast_{len(self.nodes)}"
        self.nodes.append(helper.make_node("Cast", [name], [made], name=f"{made}_node", to=kind))
        return made


def picture_graph(preprocess: Preprocess) -> tuple[list[NodeProto], list[TensorProto]]:
    """Make the nodes and constants that lead from `image` to `pixels` (1, 3, H, W)."""
    do = Builder()
    image = _cut(do, preprocess)
    shape = do("Shape", image)
    height, width = do("Gather", shape, 0), do("Gather", shape, 1)
    top, left, high, wide = placed(do, preprocess, height, width)
    if preprocess.filter == "corners":
        share, fill = corners(do, image, (height, width), (high, wide)), 0.5
    else:
        share, fill = _antialiased(do, image, (height, width), (high, wide)), float(GREY)
    if preprocess.fit == "letterbox":
        below = do("Sub", do("Sub", preprocess.size[0], high), top)
        right = do("Sub", do("Sub", preprocess.size[1], wide), left)
        edges = [do("Unsqueeze", each, [0]) for each in (top, left, below, right)]
        pads = do("Concat", [0], edges[0], edges[1], [0], edges[2], edges[3], axis=0)
        share = do("Pad", share, pads, fill)
    if preprocess.filter != "corners":
        share = do("Div", share, 255.0)
    share = do("Unsqueeze", share, [0])
    mean, std = (np.array(each, np.float32).reshape(1, 3, 1, 1) for each in (preprocess.mean, preprocess.std))
    do("Div", do("Sub", share, do.constant(mean)), do.constant(std), to="pixels")
    return do.nodes, do.constants


def _antialiased(do: Builder, image: str, size: tuple[str, str], wanted: tuple[str, str]) -> str:
    """Resize by `algo.resize`: levels, channels first."""
    columns = do("Reshape", do.cast(image), [0, -1])
    down = _weights(do, size[0], wanted[0], COLUMN_BITS)
    rows = _whole(do, do("MatMul", down, columns), BETWEEN_BITS - COLUMN_BITS)
    planes = do("Transpose", do("Reshape", rows, [0, -1, 3]), perm=[2, 0, 1])
    across = do("Transpose", _weights(do, size[1], wanted[1], ROW_BITS), perm=[1, 0])
    return _whole(do, do("MatMul", planes, across), -(BETWEEN_BITS + ROW_BITS))


def placed(do: Builder, preprocess: Preprocess, height: str, width: str) -> tuple[str, str, str, str]:
    """Say where a picture comes to lie in `pixels`, as `Preprocess.placed` does: top, left, height, width.

    Top and left are empty where it fills all.
    """
    tall, broad = (do.constant(side) for side in preprocess.size)
    if preprocess.fit != "letterbox":
        return "", "", tall, broad
    low = do("Less", do("Mul", height, broad), do("Mul", width, tall))
    scaled_high = do("Max", do("Div", do("Mul", height, broad), width), 1)
    scaled_wide = do("Max", do("Div", do("Mul", width, tall), height), 1)
    high, wide = do("Where", low, scaled_high, tall), do("Where", low, broad, scaled_wide)
    top, left = do("Div", do("Sub", tall, high), 2), do("Div", do("Sub", broad, wide), 2)
    return top, left, high, wide


def corners(do: Builder, image: str, size: tuple[str, str], wanted: tuple[str, str]) -> str:
    """Resize as `algo.corners`: shares 0 to 1, channels first."""
    (y0, y1, down0, down1) = _between(do, size[0], wanted[0], do.constant(0.0))
    (x0, x1, along0, along1) = _between(do, size[1], wanted[1], "")
    rows = []
    for y in (y0, y1):
        row = do("Gather", image, y, axis=0)
        parts = [
            do("Mul", do("Div", do.cast(do("Gather", row, x, axis=1)), 255.0), do("Unsqueeze", weight, [1]))
            for x, weight in ((x0, along0), (x1, along1))
        ]
        rows.append(do("Add", *parts))
    weighed = [do("Mul", row, do("Unsqueeze", weight, [1, 2])) for row, weight in zip(rows, (down0, down1))]
    return do("Transpose", do("Add", *weighed), perm=[2, 0, 1])


def _between(do: Builder, length: str, wanted: str, at_end: str) -> tuple[str, str, str, str]:
    """Say which two pixels each new one lies between, and how they are weighed (see `algo.corners`)."""
    new, last = do("Range", 0, wanted, 1), do("Sub", length, 1)
    last_new = do("Sub", wanted, 1)
    scale = do("Div", do.cast(last), do.cast(do("Max", last_new, 1)))
    at = do("Mul", do.cast(new), scale)
    ends = do("Equal", new, last_new)
    whole = do("Floor", at)
    if not at_end:  # along a row the last pixel is the last pixel
        whole = do("Where", ends, do.cast(last), whole)
        at = do("Where", ends, whole, at)
    share = do("Sub", at, whole)
    first = do.cast(whole, TensorProto.INT64)
    second = do("Min", do("Add", first, 1), last)
    left = do("Sub", 1.0, share)
    return first, second, left, do("Where", ends, at_end, share) if at_end else share


def _cut(do: Builder, preprocess: Preprocess) -> str:
    """Cut the centred part of the wanted proportions, as `Preprocess.window` does."""
    if preprocess.fit != "crop":
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


def _weights(do: Builder, length: str, wanted: str, bits: int) -> str:
    """Make `algo.resize.weights` from lengths that are known only at run time: float32 (wanted, length)."""
    pixel = do("Mul", do("Add", do("Mul", do("Range", 0, length, 1), 2), 1), wanted)
    new = do("Add", do("Mul", do("Range", 0, wanted, 1), 2), 1)
    centre = do("Mul", do("Unsqueeze", new, [1]), length)
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
