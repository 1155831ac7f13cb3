"""Folding batch norms changes nothing but the number of layers."""

import pytest
import timm
import torch
from torch import Tensor, nn

from okulo.nets.build import build
from okulo.nets.fuse import folded, fuse


def shaken(network: nn.Module) -> nn.Module:
    """Norms that are not the identity, so that a wrong fold shows."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


OURS = [
    {"name": "resnet", "widths": [8, 16], "depths": [1, 2], "classes": 3},
    {"name": "mobilenet", "widths": [8, 16], "depths": [1, 2], "classes": 3},
    {"name": "vgg", "widths": [8, 16], "depths": [1, 1], "classes": 3},
]


@pytest.mark.parametrize("architecture", OURS, ids=lambda each: str(each["name"]))
def test_our_networks_fold_whole_and_answer_the_same(architecture: dict[str, object]) -> None:
    network = shaken(build(architecture))
    pixels = torch.rand(2, 3, 33, 29)
    fused, count = fuse(network, pixels)
    assert count == norms(network) > 0
    assert norms(fused) == 0
    other = torch.rand(3, 3, 33, 29)
    with torch.inference_mode():
        for name, value in network(other).items():
            scale = value.abs().max()
            assert (fused(other)[name] - value).abs().max() / scale <= 3e-6


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050"])
def test_timm_norms_that_carry_an_activation_fold_too(name: str) -> None:
    network = shaken(timm.create_model(name, num_classes=5))
    pixels = torch.rand(1, 3, 65, 64)
    fused, count = fuse(network, pixels)
    assert count == norms(network)
    assert norms(fused) == 0
    with torch.inference_mode():
        wanted, got = network(pixels), fused(pixels)
    assert (wanted - got).abs().max() / wanted.abs().max() <= 3e-6


def test_the_original_is_left_alone() -> None:
    network = shaken(build(OURS[0]))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fuse(network, torch.rand(1, 3, 20, 20))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_fold_by_hand() -> None:
    conv, norm = nn.Conv2d(1, 1, 1, bias=True), nn.BatchNorm2d(1, eps=0)
    nn.init.constant_(conv.weight, 2)
    nn.init.constant_(conv.bias, 1)
    norm.running_mean, norm.running_var = torch.tensor([3.0]), torch.tensor([4.0])
    nn.init.constant_(norm.weight, 10)
    nn.init.constant_(norm.bias, 7)
    made = folded(conv, norm)  # ((2x + 1) − 3) · 10/2 + 7 = 10x − 3
    assert (made.weight.item(), made.bias.item()) == (10, -3)


class Shared(nn.Module):
    """One convolution before two norms, one whose output goes past its norm, one that is sound."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.past, self.sound = (nn.Conv2d(3, 3, 1) for _ in range(3))
        self.one, self.two, self.three, self.four = (nn.BatchNorm2d(3) for _ in range(4))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.one(self.twice(x)) + self.two(self.twice(x))
        y = self.past(x)
        return {"logits": self.four(self.sound(self.three(y) + y)).mean((2, 3))}


def test_what_cannot_be_folded_is_left_and_what_can_is_not() -> None:
    network = shaken(Shared())
    pixels = torch.rand(2, 3, 5, 5)
    fused, count = fuse(network, pixels)
    assert count == 1
    assert norms(fused) == 3
    with torch.inference_mode():
        torch.testing.assert_close(fused(pixels)["logits"], network(pixels)["logits"])
