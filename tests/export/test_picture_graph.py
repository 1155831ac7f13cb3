"""Pre-processing as a graph is the compiled resize, bit for bit, at any size."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from okulo.algo.resize import cut_and_resize, to_pixels
from okulo.algo.resize_plain import scale_table
from okulo.core.model import Preprocess
from okulo.export.picture_graph import picture_graph


def session(preprocess: Preprocess) -> ort.InferenceSession:
    nodes, constants = picture_graph(preprocess)
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["h", "w", 3])
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, *preprocess.size])
    graph = helper.make_graph(nodes, "pictures", [image], [pixels], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return ort.InferenceSession(model.SerializeToString())


SESSIONS = {
    preprocess: session(preprocess)
    for preprocess in (
        Preprocess(size=(28, 28)),
        Preprocess(size=(17, 40), fit="crop"),
        Preprocess(size=(1, 3), mean=(0.5, 0.5, 0.5), std=(0.5, 0.2, 0.1)),
    )
}


def check(preprocess: Preprocess, height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    got = SESSIONS[preprocess].run(None, {"image": image})[0]
    wanted = to_pixels(cut_and_resize(image, preprocess), scale_table(preprocess))
    np.testing.assert_array_equal(got[0], wanted)


@settings(max_examples=60)
@given(st.sampled_from(list(SESSIONS)), st.integers(1, 90), st.integers(1, 90), st.integers(0, 99))
def test_equals_the_compiled_resize_to_the_bit(preprocess: Preprocess, h: int, w: int, seed: int) -> None:
    check(preprocess, h, w, seed)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (1281, 700), (1, 2000), (900, 2)])
def test_equals_it_on_large_and_thin_pictures(height: int, width: int) -> None:
    for preprocess in SESSIONS:
        check(preprocess, height, width, 0)
