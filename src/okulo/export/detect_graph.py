"""The end of a detector's graph: from candidates to boxes in the picture, as `algo.detect.finish`."""

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from okulo.core.model import CANDIDATES, Preprocess
from okulo.export.picture_graph import Builder, placed

EVERY = 1 << 30
"""NonMaxSuppression wants a bound of what it gives for a class."""


def finish_graph(
    preprocess: Preprocess,
) -> tuple[list[NodeProto], list[TensorProto], list[ValueInfoProto], list[ValueInfoProto]]:
    """Make the nodes from candidates (of one picture) and `image` to `boxes`, `scores`, `labels`.

    Gives nodes, constants, further inputs and outputs. The inputs `threshold` and `overlap` have defaults, so
    that any runtime can run the graph with `image` alone, or with other values.
    """
    do = Builder("okulo/finish_")
    boxes, sides = _in_picture(do, preprocess)
    scores = do("Transpose", CANDIDATES[1], perm=[0, 2, 1])
    one = do("NonMaxSuppression", do("Unsqueeze", boxes, [0]), scores, EVERY_NAME, "overlap", "threshold")
    picked = do("GatherND", scores, one)
    _, order = _sorted(do, picked)
    one = do("Gather", one, order, axis=0)
    label, row = do("Gather", one, 1, axis=1), do("Gather", one, 2, axis=1)
    kept = do("Min", do("Max", do("Gather", boxes, row, axis=0), 0.0), sides)
    do("Unsqueeze", kept, [0], to="boxes")
    do("Unsqueeze", do("Gather", picked, order, axis=0), [0], to="scores")
    do("Unsqueeze", do.cast(label, TensorProto.INT32), [0], to="labels")
    constants = [
        *do.constants,
        numpy_helper.from_array(np.array([EVERY], np.int64), EVERY_NAME),
        *(numpy_helper.from_array(np.array([0], np.float32), name) for name in ("threshold", "overlap")),
    ]
    more = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("threshold", "overlap")]
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["n", "found", 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", "found"]),
        helper.make_tensor_value_info("labels", TensorProto.INT32, ["n", "found"]),
    ]
    return do.nodes, constants, more, outputs


EVERY_NAME = "okulo/finish_every"


def _in_picture(do: Builder, preprocess: Preprocess) -> tuple[str, str]:
    """Bring the candidates to the picture's pixels (m, 4); and say its sides as xyxy."""
    shape = do("Shape", "image")
    height, width = do("Gather", shape, 0), do("Gather", shape, 1)
    top, left, high, wide = placed(do, preprocess, height, width)
    size = do.constant(np.array(preprocess.size[::-1], np.float32))
    inner = do.cast(_pair(do, wide, high))
    if preprocess.filter == "corners":
        start = do("Div", do("Sub", size, inner), 2.0)
    else:
        start = do.cast(_pair(do, left, top)) if left else do.constant(np.array([0, 0], np.float32))
    outer = do.cast(_pair(do, width, height))
    corners = do("Reshape", CANDIDATES[0], [-1, 2, 2])
    moved = do("Mul", do("Sub", do("Mul", corners, size), start), do("Div", outer, inner))
    return do("Reshape", moved, [-1, 4]), do("Concat", outer, outer, axis=0)


def _pair(do: Builder, first: str, second: str) -> str:
    return do("Concat", do("Unsqueeze", first, [0]), do("Unsqueeze", second, [0]), axis=0)


def _sorted(do: Builder, scores: str) -> tuple[str, str]:
    """Sort by falling score: values and places."""
    names = [f"{do.prefix}sorted", f"{do.prefix}order"]
    do.nodes.append(
        helper.make_node("TopK", [scores, do("Shape", scores)], names, name=f"{do.prefix}sort", axis=0)
    )
    return names[0], names[1]
