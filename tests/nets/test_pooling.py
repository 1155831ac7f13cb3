"""Poolings against loops over regions and places."""

import numpy as np
import pytest
import torch

from okulo.core.errors import BadInput
from okulo.nets.build import build
from okulo.nets.embedding import EmbeddingNetwork
from okulo.nets.pooling import POOLINGS, Average, Gem, Maximum, RMac, make_pooling, regions


def maps(n: int = 2, c: int = 3, h: int = 5, w: int = 7) -> torch.Tensor:
    return torch.rand(n, c, h, w, generator=torch.Generator().manual_seed(0))


def test_average_maximum_and_gem_are_loops() -> None:
    x = maps()
    for i in range(2):
        for j in range(3):
            values = x[i, j].flatten().tolist()
            assert Average()(x)[i, j].item() == pytest.approx(sum(values) / len(values), abs=1e-6)
            assert Maximum()(x)[i, j].item() == max(values)
            gem = (sum(v**3 for v in values) / len(values)) ** (1 / 3)
            assert Gem()(x)[i, j].item() == pytest.approx(gem, abs=1e-5)


def test_gem_learns_its_exponent() -> None:
    pool = Gem()
    pool(maps()).sum().backward()
    assert pool.p.grad is not None
    assert pool.p.grad.abs() > 0


@pytest.mark.parametrize("shape", [(5, 7), (4, 4), (2, 2), (9, 3), (1, 1)])
def test_r_mac_is_a_sum_over_regions(shape: tuple[int, int]) -> None:
    x = maps(h=shape[0], w=shape[1])
    total = np.zeros((2, 3))
    for top, left, side in regions(*shape, 3):
        assert top + side <= shape[0]
        assert left + side <= shape[1]
        for i in range(2):
            peak = np.array([x[i, j, top : top + side, left : left + side].max() for j in range(3)])
            total[i] += peak / np.linalg.norm(peak)
    np.testing.assert_allclose(RMac()(x).numpy(), total, atol=1e-5)


def test_regions_cover_the_maps() -> None:
    for shape in ((7, 7), (5, 9), (12, 4)):
        covered = np.zeros(shape, bool)
        for top, left, side in regions(*shape, 3):
            covered[top : top + side, left : left + side] = True
        assert covered.all()


@pytest.mark.parametrize("name", [*POOLINGS, "combined"])
def test_a_network_of_each_pooling_ends_on_the_sphere(name: str) -> None:
    network = build({"name": "embedding", "model": "tf_efficientnet_lite0", "pooling": name, "length": 24})
    assert isinstance(network, EmbeddingNetwork)
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        whole = network(pixels)["embedding"]
        assert whole.shape == (2, 24)
        torch.testing.assert_close(whole.norm(dim=1), torch.ones(2))
        for last in (-1, 0, 1, 3):  # however it is split, it is the same network
            torch.testing.assert_close(network.back(network.front(pixels, last), last), whole)


def test_bad_pooling_is_said() -> None:
    with pytest.raises(BadInput, match="pooling: expected one of average, max"):
        make_pooling("mean", 3, 4)
