"""`okulo convert darknet`: a cfg and its weights become one model file."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto, helper

import okulo
from okulo.core.errors import BadInput
from okulo.core.model import CANDIDATES, ModelInfo, Preprocess, Threshold
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.export.darknet.cfg import Section, read_cfg
from okulo.export.darknet.heads import HEADS
from okulo.export.darknet.layers import LAYERS, Layer, Net
from okulo.export.darknet.weights import Weights
from okulo.export.join import join
from okulo.export.picture_graph import Builder
from okulo.io.files import write_aside
from okulo.runtime.graph import SEAM

OPSET = 20
IR_VERSION = 9
FITS = ("auto", "letterbox", "stretch", "crop")


@dataclass(frozen=True, kw_only=True)
class DarknetParams(Params):
    """Make a model file of a network in Darknet's form: YOLO v1, v2, v3, their tiny kin, and classifiers."""

    cfg: Path = param(help="the network's description, .cfg", positional=True)
    weights: Path = param(help="its weights, .weights", positional=True)
    output: Path = param(help="model file to write", short="o")
    names: Path | None = param(None, help="names of the classes, one a line (default: class 0, class 1, …)")
    fit: str = param(
        "auto",
        help="letterbox as pjreddie's program, stretch as AlexeyAB's; auto: stretch for v1, else letterbox",
        choices=FITS,
    )
    threshold: float = param(0.5, help="score a box needs; can be changed later", low=0, high=1)
    overlap: float = param(
        0.45, help="of two boxes of a class that overlap more (IoU), the better stays", low=0, high=1
    )
    size: int | None = param(
        None, help="side of the network's input in pixels, in place of the cfg's", low=32, high=4096
    )
    licence: str = param("", help="licence of the weights, kept in the file")


@dataclass(frozen=True)
class ConvertReport:
    """What was read and written."""

    path: Path
    bytes: int
    task: str
    classes: int
    size: tuple[int, int]
    fit: str
    layers: int
    parameters: int
    candidates: int
    """Boxes the network weighs for each picture."""
    version: str
    seen: int


def run(params: DarknetParams, progress: Progress = silent) -> ConvertReport:
    """Read cfg and weights, build the graph, and write the model file, whole or not at all."""
    sections = read_cfg(params.cfg)
    weights = Weights(params.weights)
    try:
        net = build(sections, weights, params.size, progress)
    except BadInput as error:
        if error.what == str(params.weights):
            raise
        raise BadInput(str(params.cfg), str(error)) from error
    weights.finish()
    network, count, candidates = _network(net)
    task = "detect" if net.heads else "classify"
    fit = params.fit
    if fit == "auto":
        fit = "crop" if not net.heads else "stretch" if "detection" in net.kinds else "letterbox"
    size = net.size
    preprocess = Preprocess(size=size, fit=fit, filter="corners", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    info = ModelInfo(
        task=task,
        preprocess=preprocess,
        classes=class_names(params.names, count),
        name=params.output.name.partition(".")[0],
        threshold=Threshold(value=params.threshold, how="given at conversion") if net.heads else None,
        overlap=params.overlap if net.heads else None,
        licence=params.licence,
        versions={"okulo": okulo.__version__, "onnx": onnx.__version__,
                  "darknet weights": weights.version, "exported": datetime.now(UTC).date().isoformat()},
        notes={"cfg": params.cfg.name, "weights": params.weights.name, "pictures seen": weights.seen},
    )  # fmt: skip
    with write_aside(params.output) as aside:
        aside.write_bytes(join(network, info).SerializeToString(deterministic=True))
    written = params.output.stat().st_size
    return ConvertReport(params.output, written, task, count, size, fit, len(net.layers), len(weights),
                         candidates, weights.version, weights.seen)  # fmt: skip


def build(
    sections: list[Section], weights: Weights, size: int | None = None, progress: Progress = silent
) -> Net:
    """Build the network's nodes layer by layer, from `pixels` on."""
    options, *layers = sections
    height, width = (size or options.whole(side, 0) for side in ("height", "width"))
    channels = options.whole("channels", 3)
    if channels != 3:
        raise options.refuse(f"channels: expected 3 (a colour picture), got {channels}")
    if not (1 <= height <= 8192 and 1 <= width <= 8192):
        raise options.refuse(f"width and height: expected 1 to 8192, got {width} × {height}")
    net = Net(Builder("net/"), weights, (height, width))
    before = Layer(SEAM, (3, height, width))
    for section in progress(layers, label="layers"):
        make = LAYERS.get(section.kind) or HEADS.get(section.kind)
        if make is None:
            known = ", ".join(sorted({*LAYERS, *HEADS}))
            raise section.refuse(f"this kind of layer is not read; known are {known}")
        before = make(net, section, before)
        net.layers.append(before)
        net.kinds.append(section.kind)
    return net


def _network(net: Net) -> tuple[ModelProto, int, int]:
    """Close the graph: candidates of all heads, or probabilities; the number of classes and candidates."""
    do = net.do
    outputs: list[tuple[str, list[str | int | None]]]
    if net.heads:
        counts = {head.classes for head in net.heads}
        if len(counts) > 1:
            raise BadInput("classes", f"its heads differ: {sorted(counts)}")
        count = counts.pop()
        for name, parts in zip(
            CANDIDATES, ([head.boxes for head in net.heads], [head.scores for head in net.heads])
        ):
            do("Concat", *parts, axis=1, to=name)
        outputs = [("candidate_boxes", ["n", "m", 4]), ("candidate_scores", ["n", "m", count])]
    elif "softmax" in net.kinds or "soft" in net.kinds:
        count = net.layers[net.kinds.index("softmax" if "softmax" in net.kinds else "soft")].length
        do("Flatten", net.layers[-1].name, to="probabilities")
        outputs = [("probabilities", ["n", count])]
    else:
        raise BadInput(
            "cfg", "ends in no layer that detects or classifies", hint="yolo, region, detection, softmax"
        )
    graph = helper.make_graph(
        do.nodes,
        "darknet",
        [helper.make_tensor_value_info(SEAM, TensorProto.FLOAT, ["n", 3, *net.size])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        do.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    shapes = onnx.shape_inference.infer_shapes(model).graph.output[0].type.tensor_type.shape.dim
    return model, count, shapes[1].dim_value if net.heads else 0


def class_names(path: Path | None, count: int) -> tuple[str, ...]:
    """Read the classes' names, one a line; a name that comes twice gets its number behind it."""
    if path is None:
        return tuple(f"class {index}" for index in range(count))
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
    names = [line.strip() for line in lines if line.strip()]
    if len(names) != count:
        hint = "these names are of another network"
        raise BadInput(
            str(path), wanted=f"{count} names, one for each class of the cfg", got=len(names), hint=hint
        )
    first = {name: index for index, name in reversed(list(enumerate(names)))}
    return tuple(name if first[name] == index else f"{name} ({index})" for index, name in enumerate(names))
