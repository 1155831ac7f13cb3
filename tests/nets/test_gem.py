import numpy as np
import pytest
import torch

from okulo.nets.gem import GemBackbone, generalised_mean


@pytest.mark.parametrize("p", [1.0, 3.0, 8.0])
def test_the_naive_loop_gives_the_same(p: float) -> None:
    maps = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    wanted = [[np.mean([v**p for v in row.ravel()]) ** (1 / p) for row in each] for each in maps.numpy()]
    assert np.allclose(generalised_mean(maps, p), wanted, atol=1e-5)


def test_it_lies_between_average_and_maximum() -> None:
    maps = torch.rand(1, 8, 7, 7, generator=torch.Generator().manual_seed(1))
    pooled = generalised_mean(maps)
    assert (pooled >= maps.mean(dim=(2, 3)) - 1e-6).all()
    assert (pooled <= maps.amax(dim=(2, 3)) + 1e-6).all()


def test_a_backbone_answers_embeddings_of_any_input_size() -> None:
    network = GemBackbone("test_efficientnet").eval()
    with torch.inference_mode():
        small = network(torch.rand(2, 3, 64, 64))["embedding"]
        large = network(torch.rand(1, 3, 96, 160))["embedding"]
    assert small.shape[0] == 2
    assert small.shape[1:] == large.shape[1:]
