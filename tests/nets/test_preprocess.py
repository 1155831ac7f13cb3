"""The PyTorch side of pre-processing: one definition with the runtime's."""

import numpy as np
import torch
from tests.predictors import pictures

from okulo.algo.resize import cut_and_resize
from okulo.core.model import Preprocess
from okulo.nets.preprocess import as_tensor, normalise, prepare, resize


def test_prepare_is_normalise_of_resize() -> None:
    for fit in ("stretch", "crop"):
        preprocess = Preprocess(size=(17, 23), fit=fit)
        for image in pictures():
            resized = resize(as_tensor(image), preprocess)
            assert torch.equal(prepare(as_tensor(image), preprocess), normalise(resized[None], preprocess))
            np.testing.assert_array_equal(resized.numpy(), cut_and_resize(image, preprocess))


def test_normalised_pixels_have_the_stated_mean_and_spread() -> None:
    preprocess = Preprocess(size=(1, 1), mean=(0.2, 0.4, 0.6), std=(0.1, 0.2, 0.5))
    pixel = torch.tensor([[[[51, 102, 255]]]], dtype=torch.uint8)
    torch.testing.assert_close(normalise(pixel, preprocess).flatten(), torch.tensor([0.0, 0.0, 0.8]))


def test_a_tensor_of_a_picture_is_a_copy_and_takes_read_only_ones() -> None:
    image = pictures(1)[0]
    image.setflags(write=False)
    tensor = as_tensor(image[::-1])
    tensor += 1
    assert (image[::-1] + np.uint8(1) == tensor.numpy()).all()
