"""Adaptive pooling against torch's own, and exported with a free size."""

import warnings

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from okulo.nets.pool import AveragePool, MaximumPool, exportable_pools

sides, bins = st.integers(1, 19), st.integers(1, 9)


@given(sides, sides, bins, bins)
def test_equals_torch_at_every_size(height: int, width: int, tall: int, wide: int) -> None:
    x = torch.rand(2, 3, height, width)
    torch.testing.assert_close(AveragePool((tall, wide))(x), nn.AdaptiveAvgPool2d((tall, wide))(x))
    assert torch.equal(MaximumPool((tall, wide))(x), nn.AdaptiveMaxPool2d((tall, wide))(x))


@pytest.mark.parametrize("kind", [AveragePool, MaximumPool])
def test_exported_once_it_is_right_at_other_sizes(kind: type[nn.Module]) -> None:
    free = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            kind((3, 2)).eval(),
            (torch.rand(2, 4, 14, 12),),
            dynamic_shapes=(free,),
            input_names=["x"],
            verbose=False,
        )
    assert program is not None
    session = ort.InferenceSession(program.model_proto.SerializeToString())
    theirs = nn.AdaptiveAvgPool2d if kind is AveragePool else nn.AdaptiveMaxPool2d
    for shape in ((1, 4, 7, 9), (3, 4, 31, 5), (2, 4, 2, 1)):
        x = torch.rand(shape)
        got = session.run(None, {"x": x.numpy()})[0]
        np.testing.assert_allclose(got, theirs((3, 2))(x).numpy(), atol=1e-6)


def test_only_pools_that_need_it_are_replaced() -> None:
    network = nn.Sequential(
        nn.AdaptiveAvgPool2d(4), nn.AdaptiveMaxPool2d((2, 3)), nn.AdaptiveAvgPool2d(1), nn.MaxPool2d(1)
    )
    kinds = [type(each) for each in exportable_pools(network)]
    assert kinds == [AveragePool, MaximumPool, nn.AdaptiveAvgPool2d, nn.MaxPool2d]
    assert isinstance(network[0], nn.AdaptiveAvgPool2d)
    free = nn.Sequential(nn.AdaptiveAvgPool2d((None, 4)))
    assert isinstance(exportable_pools(free)[0], nn.AdaptiveAvgPool2d)
