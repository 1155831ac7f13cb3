"""The PyTorch pipeline keeps the promises of a Predictor."""

import numpy as np
import pytest
import torch
from tests.models import bundle
from tests.predictors import check_predictor, pictures

from okulo.core.errors import BadInput
from okulo.nets.predictor import TorchPredictor
from okulo.nets.preprocess import as_tensor, prepare


@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize("task", ["classify", "embed"])
def test_keeps_the_promises_of_a_predictor(task: str, fit: str) -> None:
    check_predictor(TorchPredictor(bundle(task, fit=fit), batch_size=2), pictures())


def test_answers_what_the_network_says() -> None:
    made = bundle()
    image = pictures(1)[0]
    with torch.inference_mode():
        logits = made.network(prepare(as_tensor(image), made.info.preprocess))["logits"]
    answer = TorchPredictor(made).predict([image])[0]
    np.testing.assert_allclose(answer["probabilities"], logits.softmax(1)[0].numpy(), atol=1e-6)


def test_pictures_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(BadInput, match="image: expected uint8"):
        TorchPredictor(bundle()).predict([np.zeros((4, 4, 3), np.float32)])
