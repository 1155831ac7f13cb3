"""Where a network looks: its last maps, taken out of a model file, and the part of a picture they stand for.

Nothing is learnt for it and no gradient is needed: the sum of the last maps is high where the network has
found something, whatever that is (SCDA; Wei et al. 2017, arXiv 1604.04994, section 3.1). The paper keeps the
largest piece of cells above the mean. Here the sum is enlarged first, which places the box finer, and the
piece with the peak is kept, where it is high enough: less of a cluttered photo comes along.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from onnx import ModelProto, NodeProto, shape_inference

from okulo.core.errors import BadInput
from okulo.core.model import Preprocess
from okulo.core.protocols import Image
from okulo.runtime.engines import Session, open_session
from okulo.runtime.graph import SEAM, read_model, split, up_to
from okulo.runtime.modelfile import ModelFile, load

AFTER = ("BatchNormalization", "Relu", "Clip", "HardSwish", "LeakyRelu", "PRelu", "Elu", "Selu", "Gelu")
"""What may follow the last convolution, one to one, and still be its maps."""
LEVEL = 0.65
"""How high from the mean to the peak a cell must be (`benchmarks/search_crop.py EMOJI tune`)."""
FINE_PX = 64
"""The maps are enlarged to so many cells a side before a box is drawn."""


class Attention:
    """Cuts out of pictures what a network looks at."""

    def __init__(self, file: ModelFile, maps: Session, name: str) -> None:
        self.file, self._maps, self._name = file, maps, name

    def box(self, image: Image) -> tuple[int, int, int, int]:
        """The part that is looked at: left, top, right, bottom, pixels."""
        maps = self._maps.run({SEAM: self.file.prepare(image)[None]})[self._name][0]
        x0, y0, x1, y1 = attended(maps)
        return placed((x0, y0, x1, y1), image.shape[0], image.shape[1], self.file.info.preprocess)

    def __call__(self, image: Image) -> Image:
        """Cut it out."""
        left, top, right, bottom = self.box(image)
        return np.ascontiguousarray(image[top:bottom, left:right])


def load_attention(path: Path, threads: int | None = 1, file: ModelFile | None = None) -> Attention:
    """Open a model file (`file`, where that was done) for its maps; one of a network without is BadInput."""
    model = read_model(path)
    _, network = split(model)
    name = last_maps(network)
    if not name:
        raise BadInput(
            str(path), "has no maps to look at: no convolution over the picture leads to its answer"
        )
    maps = open_session(up_to(network, name), threads=threads)
    return Attention(file or load(path, threads=threads), maps, name)


def last_maps(network: ModelProto) -> str:
    """Name the last convolution's maps of more than one cell, with norm and activation; none: empty."""
    graph = shape_inference.infer_shapes(network).graph
    shapes = {each.name: each.type.tensor_type.shape.dim for each in (*graph.value_info, *graph.output)}
    users: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    for node in reversed(graph.node):
        dims = shapes.get(node.output[0], ())
        if node.op_type != "Conv" or len(dims) != 4 or dims[2].dim_value == dims[3].dim_value == 1:
            continue
        name = node.output[0]
        while len(users.get(name, ())) == 1 and users[name][0].op_type in AFTER:
            name = users[name][0].output[0]
        return str(name)
    return ""


def attended(maps: Float[np.ndarray, "c h w"]) -> tuple[float, float, float, float]:
    """The box around the peak of the maps' sum: shares of the sides.

    >>> maps = np.zeros((2, 4, 4), np.float32)
    >>> maps[:, 1:3, 2] = 1
    >>> [round(v, 2) for v in attended(maps)]
    [0.55, 0.3, 0.7, 0.7]
    """
    total = np.maximum(maps, 0).sum(axis=0, dtype=np.float32)
    fine = cv2.resize(total, (FINE_PX, FINE_PX), interpolation=cv2.INTER_LINEAR)
    mean, peak = float(fine.mean()), float(fine.max())
    above: UInt8[np.ndarray, "h w"] = (fine >= mean + LEVEL * (peak - mean)).astype(np.uint8)
    _, pieces, boxes, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    x, y, width, height, _ = boxes[pieces[np.unravel_index(fine.argmax(), fine.shape)]].tolist()
    return x / FINE_PX, y / FINE_PX, (x + width) / FINE_PX, (y + height) / FINE_PX


def placed(
    box: tuple[float, float, float, float], height: int, width: int, preprocess: Preprocess
) -> tuple[int, int, int, int]:
    """From shares of what the network saw to pixels of the picture.

    >>> placed((0, 0, 0.5, 1), 100, 200, Preprocess(size=(64, 64)))
    (0, 0, 100, 100)
    >>> placed((0, 0, 0.5, 1), 100, 200, Preprocess(size=(64, 64), fit="crop"))
    (50, 0, 100, 100)
    """
    rows, columns = float(height), float(width)
    if preprocess.fit != "stretch":
        across = preprocess.size[1] / preprocess.size[0]
        wide = width > across * height
        if (preprocess.fit == "crop") == wide:
            columns = height * across
        else:
            rows = width / across
    left, top = (width - columns) / 2, (height - rows) / 2
    x0, x1 = (min(max(left + share * columns, 0), width) for share in (box[0], box[2]))
    y0, y1 = (min(max(top + share * rows, 0), height) for share in (box[1], box[3]))
    x0, y0 = min(int(x0), width - 1), min(int(y0), height - 1)
    return x0, y0, max(x0 + 1, round(x1)), max(y0 + 1, round(y1))
