"""Put a network's graph between its pre-processing and, for a detector, its end; no torch takes part."""

import onnx
from onnx import ModelProto, TensorProto, helper

from okulo.core.model import CANDIDATES, ModelInfo
from okulo.export.detect_graph import finish_graph
from okulo.export.picture_graph import picture_graph
from okulo.runtime.graph import INPUT, SEAM, check_model, say


def join(network: ModelProto, info: ModelInfo) -> ModelProto:
    """Put the pre-processing before a network that starts at `pixels`, and the metadata beside; checked."""
    nodes, constants = picture_graph(info.preprocess)
    model = ModelProto()
    model.CopyFrom(network)
    graph = model.graph
    graph.name = info.name or "okulo"
    seam = next(each for each in network.graph.input if each.name == SEAM)
    del graph.input[:], graph.node[:]
    graph.node.extend([*nodes, *network.graph.node])
    graph.initializer.extend(constants)
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["h", "w", 3]))
    graph.value_info.append(seam)
    if info.task == "detect":
        _finish(model, info)
    say(model, info)
    onnx.checker.check_model(model, full_check=True)
    check_model(model)
    return model


def _finish(model: ModelProto, info: ModelInfo) -> None:
    """Lead a detector's candidates to boxes in the picture."""
    graph = model.graph
    nodes, constants, inputs, outputs = finish_graph(info.preprocess)
    candidates = [each for each in graph.output if each.name in CANDIDATES]
    del graph.output[:]
    graph.value_info.extend(candidates)
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    graph.input.extend(inputs)
    graph.output.extend(outputs)
