"""Letterboxes and Darknet's resizing as a graph are the compiled code, bit for bit, at any size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.export.test_picture_graph import session

from okulo.algo.corners import to_corner_pixels
from okulo.algo.resize import cut_and_resize, to_pixels
from okulo.algo.resize_plain import scale_table
from okulo.core.model import Preprocess

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
SESSIONS = {
    preprocess: session(preprocess)
    for preprocess in (
        Preprocess(size=(32, 32), fit="letterbox"),
        Preprocess(size=(17, 40), fit="letterbox", **PLAIN),
        Preprocess(size=(32, 32), fit="letterbox", filter="corners", **PLAIN),
        Preprocess(size=(17, 40), fit="letterbox", filter="corners"),
        Preprocess(size=(33, 20), fit="stretch", filter="corners", **PLAIN),
        Preprocess(size=(9, 20), fit="crop", filter="corners", **PLAIN),
        Preprocess(size=(1, 3), fit="letterbox", filter="corners", **PLAIN),
    )
}


def compiled(preprocess: Preprocess, image: np.ndarray) -> np.ndarray:
    if preprocess.filter == "corners":
        return to_corner_pixels(image, preprocess)
    return to_pixels(cut_and_resize(image, preprocess), scale_table(preprocess))


def check(preprocess: Preprocess, height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    got = SESSIONS[preprocess].run(None, {"image": image})[0]
    np.testing.assert_array_equal(got[0], compiled(preprocess, image))


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(list(SESSIONS)), st.integers(1, 90), st.integers(1, 90), st.integers(0, 99))
def test_equals_the_compiled_code_to_the_bit(preprocess: Preprocess, h: int, w: int, seed: int) -> None:
    check(preprocess, h, w, seed)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (721, 700), (1, 2000), (900, 2), (576, 768)])
def test_equals_it_on_large_and_thin_pictures(height: int, width: int) -> None:
    for preprocess in SESSIONS:
        check(preprocess, height, width, 0)


def test_grey_lies_around_the_picture_and_the_picture_is_the_resized_one() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 60, 3), dtype=np.uint8)
    boxed = cut_and_resize(image, Preprocess(size=(60, 60), fit="letterbox"))
    np.testing.assert_array_equal(boxed[15:45], image)
    assert (boxed[:15] == 128).all() and (boxed[45:] == 128).all()
