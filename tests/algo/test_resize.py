"""Resizing against whole-number arithmetic, torch and Pillow."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from okulo.algo.bands import weights
from okulo.algo.resize import cut_and_resize, resize, to_pixels
from okulo.algo.resize_plain import plain_pixels, scale_table
from okulo.core.model import Preprocess

SHAPES = [
    ((480, 640), (224, 224)),
    ((50, 37), (224, 200)),
    ((100, 80), (1, 1)),
    ((33, 47), (32, 31)),
    ((1, 1), (5, 7)),
    ((3, 500), (28, 28)),
    ((700, 900), (28, 28)),
]


def noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_within_one_level_of_torch_and_pillow(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image = noise(shape)
    got = resize(image, size).astype(float)
    planes = torch.from_numpy(image).permute(2, 0, 1)[None].double()
    exact = torch.nn.functional.interpolate(planes, size, mode="bilinear", antialias=True)
    exact = exact[0].permute(1, 2, 0).numpy()
    assert np.abs(got - exact).max() < 0.7  # rounding alone costs 0.5
    pillow = np.asarray(Pillow.fromarray(image).resize(size[::-1], Pillow.Resampling.BILINEAR))
    assert np.abs(got - pillow).max() <= 1


def by_whole_numbers(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The definition, in int64, without a kernel or a band."""
    tall = weights(image.shape[0], size[0], 16)
    wide = weights(image.shape[1], size[1], 12)
    between = (np.einsum("mh,hwc->mwc", tall, image.astype(np.int64)) + (1 << 11)) >> 12
    return (np.einsum("nw,mwc->mnc", wide, between) + (1 << 15)) >> 16


sides = st.integers(1, 70)


@settings(deadline=None, max_examples=60)
@given(sides, sides, sides, sides, st.integers(0, 9))
def test_the_kernel_is_the_whole_number_definition(h: int, w: int, H: int, W: int, seed: int) -> None:
    image = noise((h, w), seed)
    np.testing.assert_array_equal(resize(image, (H, W)), by_whole_numbers(image, (H, W)))


@settings(deadline=None, max_examples=60)
@given(sides, sides, sides, sides, st.integers(0, 9), st.sampled_from(["crop", "stretch", "letterbox"]))
def test_numpy_alone_gives_the_same_bytes(h: int, w: int, H: int, W: int, seed: int, fit: str) -> None:
    image, preprocess = noise((h, w), seed)[::-1], Preprocess(size=(H, W), fit=fit)
    table = scale_table(preprocess)
    wanted = to_pixels(cut_and_resize(image, preprocess), table)
    np.testing.assert_array_equal(plain_pixels(image, preprocess, table), wanted)


def test_numpy_alone_gives_the_same_bytes_of_a_large_picture() -> None:
    image, preprocess = noise((1281, 1920)), Preprocess(size=(224, 200))
    table = scale_table(preprocess)
    wanted = to_pixels(cut_and_resize(image, preprocess), table)
    np.testing.assert_array_equal(plain_pixels(image, preprocess, table), wanted)


@settings(deadline=None)
@given(sides, sides, sides, sides, st.integers(0, 255))
def test_a_flat_picture_stays_flat(h: int, w: int, H: int, W: int, level: int) -> None:
    assert (resize(np.full((h, w, 3), level, np.uint8), (H, W)) == level).all()


@given(st.integers(1, 300), st.integers(1, 60), st.sampled_from([12, 16]))
def test_weights_add_up_and_are_symmetric_to_a_unit(length: int, wanted: int, bits: int) -> None:
    got = weights(length, wanted, bits)
    assert (got.sum(axis=1) == 1 << bits).all()
    assert got.min() >= 0
    assert np.abs(got - got[::-1, ::-1]).max() <= 1
    distance = np.abs((np.arange(length) + 0.5) - (np.arange(wanted)[:, None] + 0.5) * length / wanted)
    triangle = np.maximum(0, 1 - distance / max(1.0, length / wanted))
    exact = triangle / triangle.sum(axis=1, keepdims=True) * (1 << bits)
    assert np.abs(got - exact).max() <= 1


def test_the_same_size_passes_as_it_is() -> None:
    image = noise((28, 28))
    assert resize(image, (28, 28)) is image


def test_read_only_and_flipped_pictures_are_taken_and_left_alone() -> None:
    image = noise((40, 30))
    image.setflags(write=False)
    flipped = image[::-1, ::-1]
    np.testing.assert_array_equal(resize(flipped, (7, 9)), resize(flipped.copy(), (7, 9)))


def test_cut_takes_the_centre() -> None:
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 255
    assert (cut_and_resize(image, Preprocess(size=(5, 5), fit="crop")) == 255).all()


def test_pixels_are_scaled_as_floats_would_be() -> None:
    preprocess = Preprocess(size=(6, 5))
    image = noise((6, 5))
    mean, std = np.float32(preprocess.mean), np.float32(preprocess.std)
    expected = ((image.astype(np.float32) / np.float32(255) - mean) / std).transpose(2, 0, 1)
    np.testing.assert_array_equal(to_pixels(image, scale_table(preprocess)), expected)
