"""Our networks: sizes counted by hand, shapes, switches, and timm's answers where it has the same network."""

import copy
from typing import Any

import pytest
import timm
import torch
from torch import nn

from okulo.core.errors import BadInput
from okulo.nets.blocks import zero_gamma
from okulo.nets.build import BUILDERS, PRESETS, build, describe
from okulo.nets.cost import cost
from okulo.nets.ema import Ema
from okulo.nets.mobilenet import mobilenet
from okulo.nets.resnet import Residual, resnet

FIFTY: dict[str, Any] = {
    "widths": (64, 128, 256, 512),
    "depths": (3, 4, 6, 3),
    "block": "bottleneck",
    "stem_kind": "imagenet",
}


def size(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "resnet-50"])
@pytest.mark.parametrize("side", [(28, 28), (33, 47)])
def test_every_preset_answers_at_odd_sizes(name: str, side: tuple[int, int]) -> None:
    network = build(describe(name, 5, dropout=0.1)).eval()
    with torch.no_grad():
        said = network(torch.randn(2, 3, *side))
    assert said["logits"].shape == (2, 5)
    assert said["embedding"].shape == (2, network.head.in_features)
    assert torch.isfinite(said["logits"]).all()


def test_resnet_50_and_50_d_have_as_many_weights_and_operations_as_timms() -> None:
    plain = resnet(classes=1000, tweak_b=True, tweak_c=False, tweak_d=False, **FIFTY)
    assert size(plain) == size(timm.create_model("resnet50")) == 25_557_032
    assert size(resnet(classes=1000, **FIFTY)) == size(timm.create_model("resnet50d"))


def test_resnet_50_answers_as_timms_with_timms_weights() -> None:
    theirs = timm.create_model("resnet50", num_classes=10).eval()
    ours = resnet(classes=10, tweak_c=False, tweak_d=False, **FIFTY).eval()
    values = [v for n, v in theirs.state_dict().items() if "downsample" not in n]
    around = [v for n, v in theirs.state_dict().items() if "downsample" in n]
    names = [n for n in ours.state_dict() if ".shortcut." not in n]
    detour = [n for n in ours.state_dict() if ".shortcut." in n]
    ours.load_state_dict(dict(zip(names + detour, values + around, strict=True)))
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(pixels)["logits"], theirs(pixels), atol=1e-4, rtol=1e-4)


def test_tweak_b_moves_the_stride_and_nothing_else() -> None:
    plain = {"classes": 2, "tweak_c": False, "tweak_d": False, **FIFTY}
    first = [resnet(tweak_b=b, **plain) for b in (False, True)]
    assert size(first[0]) == size(first[1])
    strides = [
        [
            (m.kernel_size[0], m.stride[0])
            for m in net.modules()
            if isinstance(m, nn.Conv2d) and m.stride[0] == 2
        ]
        for net in first
    ]
    assert strides[0].count((1, 2)) == 6 and strides[1].count((3, 2)) == 3 and strides[1].count((1, 2)) == 3


def test_tweak_d_leaves_no_strided_1x1() -> None:
    network = resnet(classes=2, tweak_d=True)
    strided = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.stride[0] == 2]
    assert {m.kernel_size for m in strided} == {(3, 3)}


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_zero_gamma_makes_residual_blocks_their_shortcut(block: str) -> None:
    network = resnet(classes=2, widths=(8,), depths=(2,), block=block).eval()
    assert zero_gamma(network) == 2
    last = next(m for m in reversed(list(network.modules())) if isinstance(m, Residual))
    x = torch.rand(1, 8 if block == "basic" else 32, 5, 5)
    torch.testing.assert_close(last(x), x)


def test_zero_gamma_reaches_mobilenet_and_timm() -> None:
    assert zero_gamma(mobilenet(classes=2)) > 0
    network = build(describe("resnet18", 2))
    assert zero_gamma(network) == 8
    assert (network.backbone.layer1[0].bn2.weight == 0).all()


def test_group_norm_does_not_see_the_rest_of_the_batch() -> None:
    network = build(describe("resnet-tiny", 3, norm="group")).train()
    pixels = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(network(pixels)["logits"][:1], network(pixels[:1])["logits"])


def test_cost_counts_a_layer_by_hand() -> None:
    network = resnet(classes=3, widths=(4,), depths=(1,), tweak_c=False)
    convolutions = 8 * 8 * 9 * (3 * 4 + 4 * 4 + 4 * 4)
    assert cost(network, (8, 8)).multiply_adds == convolutions + 4 * 3
    assert network.training


@pytest.mark.parametrize(
    ("architecture", "says"),
    [
        (
            {"name": "resnetty"},
            "architecture: expected one of vgg, resnet, mobilenet, timm, embedding, detector, got 'resnetty'",
        ),
        ({"name": "vgg", "classes": 2, "width": 3}, "unexpected keyword argument 'width'"),
        ({"name": "vgg", "classes": 2, "widths": [3], "depths": [1, 2]}, "depths: expected 1 numbers"),
        ({"name": "resnet", "classes": 2, "norm": "bach"}, "norm: expected one of batch, group"),
        (
            {"name": "timm", "model": "resnet19", "classes": 2},
            "backbone: expected one of ours or a name",
        ),
    ],
)
def test_bad_architectures_say_so(architecture: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        build(architecture)


def test_build_knows_every_preset() -> None:
    assert {preset["name"] for preset in PRESETS.values()} <= set(BUILDERS)


def test_ema_follows_and_does_not_touch_the_network() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    ema = Ema(network, 0.9)
    before = copy.deepcopy(network.state_dict())
    ema.updates = 1000  # past the warm-up
    with torch.no_grad():
        network[0].weight += 1
    ema.update(network)
    moved = ema.network[0].weight.item() - before["0.weight"].item()
    assert moved == pytest.approx(0.1, abs=1e-5)
    assert (network[0].weight - before["0.weight"]).item() == pytest.approx(1)
