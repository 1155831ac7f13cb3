"""The model file as a graph: read with suspicion, split at `pixels`, its metadata read and written."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

from okulo.core.errors import BadInput
from okulo.core.model import CANDIDATES, OUTPUTS, OVERLAP, THRESHOLD, ModelInfo
from okulo.io.files import write_aside

PREFIX = "okulo."
INPUT = "image"
SEAM = "pixels"
MAX_BYTES = 2**31 - 1
"""Protocol buffers hold no more, and okulo's files keep everything inside."""


def read_model(path: Path) -> ModelProto:
    """Read and check a model file; one that is none, or is unsafe, is BadInput that names the file."""
    model = read_graph(path)
    try:
        check_model(model)
        return model
    except BadInput as error:
        raise BadInput(str(path), str(error)) from error


def read_graph(path: Path) -> ModelProto:
    """Read an ONNX file, unchecked; one that is none is BadInput that names the file."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise BadInput(
                str(path), "is a folder", hint="a run folder is made a model file by `okulo export`"
            )
        if size > MAX_BYTES:
            raise BadInput(str(path), wanted="a model file of less than 2 GB", got=f"{size:,} bytes")
        return onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
    except DecodeError as error:
        raise BadInput(str(path), "is no ONNX file, or only part of one", hint=_mend(path)) from error


def _mend(path: Path) -> str:
    return "weights alone cannot be run; `okulo export` writes model files" if path.suffix != ".onnx" else ""


def check_model(model: ModelProto) -> None:
    """Raise BadInput unless this graph keeps the model file's contract and holds all its data inside."""
    graph = model.graph
    if not graph.node or not graph.output:
        raise BadInput("model file", "holds no graph: is no ONNX file, or only part of one")
    refuse_external(graph)
    for function in model.functions:
        _refuse_outside(_tensors_of(function.node))
    info = said_by(model)
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [each for each in graph.input if each.name not in stored]
    if [each.name for each in inputs] != [INPUT]:
        raise BadInput("model file", wanted=f"one input {INPUT!r}", got=[each.name for each in inputs])
    kind, shape = inputs[0].type.tensor_type.elem_type, inputs[0].type.tensor_type.shape.dim
    if kind != TensorProto.UINT8 or len(shape) != 3 or shape[2].dim_value != 3:
        got = f"{TensorProto.DataType.Name(kind)} {[d.dim_value or d.dim_param for d in shape]}"
        raise BadInput("model file", wanted=f"input {INPUT!r} as UINT8 [h, w, 3]", got=got)
    if not any(SEAM in node.output for node in graph.node):
        raise BadInput("model file", f"has no tensor {SEAM!r} where pre-processing ends")
    missing = set(OUTPUTS[info.task]) - {each.name for each in graph.output}
    if missing:
        raise BadInput(
            "model file",
            wanted=f"outputs {', '.join(OUTPUTS[info.task])} (task {info.task})",
            got=", ".join(each.name for each in graph.output),
        )
    made = {name for node in graph.node for name in node.output}
    if info.task == "detect" and not made >= set(CANDIDATES):
        raise BadInput("model file", wanted=f"tensors {' and '.join(CANDIDATES)}", got="a detector without")
    _check_classes(graph, info)


def _check_classes(graph: GraphProto, info: ModelInfo) -> None:
    """Raise BadInput if the probabilities are not one for each class the metadata names."""
    for output in graph.output:
        dims = output.type.tensor_type.shape.dim
        count = dims[1].dim_value if output.name == "probabilities" and len(dims) == 2 else 0
        if count and count != len(info.classes):
            wanted = f"one probability for each of {len(info.classes)} classes"
            raise BadInput("model file", wanted=wanted, got=count)


def refuse_external(graph: GraphProto) -> None:
    """Raise BadInput if any tensor, also in attributes and inner graphs, points to another file."""
    tensors = [*graph.initializer, *_tensors_of(graph.node)]
    for sparse in graph.sparse_initializer:
        tensors += [sparse.values, sparse.indices]
    _refuse_outside(tensors)


def _tensors_of(nodes: Iterable[NodeProto]) -> list[TensorProto]:
    """The tensors in attributes; inner graphs are looked through on the way."""
    tensors = []
    for node in nodes:
        for attribute in node.attribute:
            tensors += [attribute.t, *attribute.tensors]
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                tensors += [sparse.values, sparse.indices]
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    refuse_external(inner)
    return tensors


def _refuse_outside(tensors: Iterable[TensorProto]) -> None:
    for tensor in tensors:
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            where = next((e.value for e in tensor.external_data if e.key == "location"), "another file")
            raise BadInput(
                "model file", f"keeps {tensor.name!r} outside, in {where!r}: refused, a model is one file"
            )


def metadata(model: ModelProto) -> dict[str, Any]:
    """Read what the metadata `okulo.*` of a graph say."""
    said: dict[str, Any] = {}
    for each in model.metadata_props:
        if each.key.startswith(PREFIX):
            try:
                said[each.key.removeprefix(PREFIX)] = json.loads(each.value)
            except (ValueError, RecursionError) as error:
                raise BadInput("model file", f"its metadata {each.key} is no JSON ({error})") from error
    return said


def said_by(model: ModelProto) -> ModelInfo:
    """Read the metadata `okulo.*` of a graph."""
    return ModelInfo.from_json(metadata(model))


def say(model: ModelProto, info: ModelInfo) -> None:
    """Put the metadata `okulo.*` into a graph, in place of what it held.

    A detector's graph has its threshold and overlap as inputs with defaults: these follow.
    """
    others = [each for each in model.metadata_props if not each.key.startswith(PREFIX)]
    kept = [(each.key, each.value) for each in others]
    del model.metadata_props[:]
    for key, value in [*kept, *((PREFIX + k, json.dumps(v)) for k, v in info.to_json().items())]:
        model.metadata_props.add(key=key, value=value)
    if info.task == "detect":
        defaults = {
            "threshold": info.threshold.value if info.threshold else THRESHOLD,
            "overlap": OVERLAP if info.overlap is None else info.overlap,
        }
        for tensor in model.graph.initializer:
            if tensor.name in defaults:
                value = np.array([defaults[tensor.name]], np.float32)
                tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))


def write_model(model: ModelProto, info: ModelInfo, path: Path) -> None:
    """Write a graph with this metadata as a model file, whole or not at all."""
    say(model, info)
    with write_aside(path) as aside:
        aside.write_bytes(model.SerializeToString(deterministic=True))


def split(model: ModelProto) -> tuple[ModelProto, ModelProto]:
    """Cut the graph at `pixels`: pre-processing (one picture) and network (a batch).

    A detector's network ends with its candidates: what follows needs the picture's size (`algo.detect`).
    """
    made = {name for node in model.graph.node for name in node.output}
    outputs = [each.name for each in model.graph.output]
    if made >= set(CANDIDATES):
        outputs = list(CANDIDATES)
    before = _part(model, [], [SEAM])
    after = _part(model, [SEAM], outputs)
    if any(INPUT in node.input for node in after.graph.node):
        raise BadInput("model file", f"its network uses {INPUT!r} beside {SEAM!r}")
    return before, after


def up_to(network: ModelProto, name: str) -> ModelProto:
    """Keep of a network, as `split` gives it, what leads to this tensor."""
    return _part(network, [SEAM], [name])


def _part(model: ModelProto, cuts: list[str], outputs: list[str]) -> ModelProto:
    """Keep the nodes that lead to `outputs`, going back no further than `cuts`."""
    graph = model.graph
    maker = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    wanted, seen, kept = list(outputs), set(cuts), set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in maker and maker[name] not in kept:
            kept.add(maker[name])
            wanted += used_by(graph.node[maker[name]])
    part = ModelProto()
    part.ir_version, part.producer_name = model.ir_version, model.producer_name
    part.opset_import.extend(model.opset_import)
    part.functions.extend(model.functions)
    part.graph.name = graph.name
    part.graph.node.extend(graph.node[index] for index in sorted(kept))
    part.graph.initializer.extend(t for t in graph.initializer if t.name in seen)
    known = {each.name: each for each in (*graph.input, *graph.value_info, *graph.output)}
    part.graph.input.extend(known[name] for name in (cuts or [INPUT]) if name in known or _absent(name))
    part.graph.output.extend(known.get(name, ValueInfoProto(name=name)) for name in outputs)
    part.graph.value_info.extend(v for v in graph.value_info if v.name in seen and v.name not in cuts)
    return part


def _absent(name: str) -> bool:
    raise BadInput("model file", f"does not say the shape of {name!r}")


def used_by(node: NodeProto) -> list[str]:
    """Name the tensors a node reads, those its inner graphs take from outside with them."""
    names = list(node.input)
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            for each in inner.node:
                names += used_by(each)
    return names
