"""Int8: what it changes is measured, and too much is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.models import bundle
from tests.predictors import check_predictor, pictures

from okulo.core.errors import BadInput
from okulo.export.join import join
from okulo.export.network_graph import network_graph
from okulo.export.quantise import Quantised, check_drop, share_same, to_int8
from okulo.runtime.graph import write_model
from okulo.runtime.modelfile import load


def test_int8_keeps_the_contract_and_most_answers(tmp_path: Path) -> None:
    made = bundle()
    network, _ = network_graph(made)
    images = pictures(40)
    write_model(join(network, made.info), made.info, tmp_path / "f.onnx")
    exact = load(tmp_path / "f.onnx")
    small = to_int8(network, (np.stack([exact.prepare(image)] * 2) for image in images))
    write_model(join(small, made.info), made.info, tmp_path / "q.onnx")
    file = load(tmp_path / "q.onnx")
    assert file.compiled  # pre-processing stays float
    check_predictor(file, pictures())
    assert share_same(exact.predict(images), file.predict(images)) >= 0.85
    model = onnx.load(tmp_path / "q.onnx")
    weights = {node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    held = [each for each in model.graph.initializer if each.name in weights and len(each.dims) == 4]
    assert held
    assert all(each.data_type == onnx.TensorProto.INT8 for each in held)
    points = {
        tensor.name: tensor for tensor in model.graph.initializer if tensor.name.endswith("_zero_point")
    }
    kinds = {points[node.input[2]].data_type for node in model.graph.node if node.op_type == "QuantizeLinear"}
    assert kinds == {onnx.TensorProto.UINT8}
    per_channel = [node for node in model.graph.node if node.op_type == "DequantizeLinear" and node.attribute]
    assert len(per_channel) >= len(held)


def lost(before: float | None, after: float | None, agreement: float) -> Quantised:
    return Quantised(256, 1000, "val", before, after, agreement, 100, 30)


def test_what_is_lost_is_in_points() -> None:
    assert lost(0.9, 0.88, 0.95).drop == pytest.approx(2)
    assert lost(None, None, 0.95).drop == pytest.approx(5)


def test_too_much_lost_is_refused_unless_forced() -> None:
    with pytest.raises(BadInput, match=r"loses 2\.0 points on 1000 pictures \(95\.0 % of the answers"):
        check_drop(lost(0.9, 0.88, 0.95), 1.0, force=False)
    check_drop(lost(0.9, 0.88, 0.95), 1.0, force=True)
    check_drop(lost(0.9, 0.895, 0.95), 1.0, force=False)
