"""The detector: overlap terms are torchvision's, who is responsible for a box, what its loss asks for."""

import pytest
import torch
from torchvision import ops

from okulo.core.errors import BadInput
from okulo.nets.build import build
from okulo.nets.bundle import load_weights, save_weights
from okulo.nets.detector import Detector, decode, map_sizes
from okulo.nets.losses.boxes import box_iou, pair_iou
from okulo.nets.losses.detection import Truth, detection_loss, match

ANCHORS = [[[0.1, 0.1], [0.15, 0.3]], [[0.3, 0.3], [0.6, 0.4]], [[0.8, 0.8], [0.9, 0.5]]]


def network(classes: int = 3, **said: object) -> Detector:
    torch.manual_seed(0)
    choices = {
        "name": "detector",
        "trunk": "vgg-tiny",
        "classes": classes,
        "anchors": ANCHORS,
        "size": (64, 96),
    }
    made = build({**choices, **said})
    assert isinstance(made, Detector)
    return made


def boxes(n: int, seed: int = 0) -> torch.Tensor:
    corner = torch.rand((n, 2), generator=torch.Generator().manual_seed(seed)) * 0.6
    sides = torch.rand((n, 2), generator=torch.Generator().manual_seed(seed + 1)) * 0.35 + 0.05
    return torch.cat([corner, corner + sides], dim=1)


def test_overlap_terms_are_torchvisions() -> None:
    a, b = boxes(50), boxes(50, 7)
    for kind, loss in (
        ("giou", ops.generalized_box_iou_loss), ("diou", ops.distance_box_iou_loss),
        ("ciou", ops.complete_box_iou_loss),
    ):  # fmt: skip
        torch.testing.assert_close(1 - box_iou(a, b, kind), loss(a, b), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(box_iou(a, b), ops.box_iou(a, b).diagonal(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(pair_iou(a[None], b[None])[0], ops.box_iou(a, b), atol=1e-5, rtol=1e-5)


def test_the_rows_of_the_answer_lie_as_the_grid_says() -> None:
    net = network().eval()
    said = net(torch.rand(2, 3, 64, 96))
    count = sum(h * w * 2 for h, w in map_sizes((64, 96), 3))
    assert said["raw"].shape == (2, count, 8) and said["candidate_boxes"].shape == (2, count, 4)
    assert said["candidate_scores"].max() < 0.05  # nothing is sure of anything yet
    centre = (said["candidate_boxes"][0, :, :2] + said["candidate_boxes"][0, :, 2:]) / 2
    cell = (net.get_buffer("cell") + 0.5) / net.get_buffer("cells")
    assert (centre - cell).abs().max() < 0.03  # heads start near 0: in the middle of their cells


def test_a_box_has_its_own_cell_two_beside_it_and_anchors_like_it() -> None:
    net = network()
    box = torch.tensor([[0.30, 0.30, 0.42, 0.40]])  # 0.12 × 0.1: like the first anchor, and no other
    pairs = match(net, Truth(torch.tensor([1]), box, torch.tensor([2])))
    assert pairs.picture.tolist() == [1, 1, 1] and pairs.truth.tolist() == [0, 0, 0]
    grid = net.grid
    cells = grid.cell[pairs.candidate].tolist()
    assert cells == [[4.0, 2.0], [3.0, 2.0], [4.0, 3.0]]  # centre at 4.32, 2.8 of 12 × 8 cells
    torch.testing.assert_close(grid.anchor[pairs.candidate], torch.tensor([[0.1, 0.1]]).expand(3, 2))


@pytest.mark.parametrize("box_loss", ["ciou", "giou", "v3"])
def test_the_loss_falls_to_what_says_the_truth_and_its_gradient_is_whole(box_loss: str) -> None:
    net = network()
    truth = Truth(torch.tensor([0, 0, 1]), boxes(3), torch.tensor([0, 1, 2]))
    loss_of = detection_loss(net, box_loss, iou_aware=False)
    raw = torch.zeros(2, len(net.get_buffer("cell")), 8)
    raw[..., 4] = -4.0
    raw.requires_grad_(True)
    optimiser = torch.optim.Adam([raw], lr=0.1)
    first = float(loss_of(raw, truth)["loss"].detach())
    for _ in range(120):
        optimiser.zero_grad()
        loss_of(raw, truth)["loss"].backward()
        optimiser.step()
    last = loss_of(raw, truth)
    assert torch.isfinite(raw).all() and float(last["loss"].detach()) < first / 3
    pairs = match(net, truth)
    found = decode(raw.detach(), net.grid)[pairs.picture, pairs.candidate]
    assert box_iou(found, truth.box[pairs.truth]).mean() > 0.9
    assert (raw[pairs.picture, pairs.candidate][:, 5:].argmax(dim=1) == truth.label[pairs.truth]).all()


def test_pictures_without_boxes_teach_that_nothing_is_there() -> None:
    net = network()
    none = Truth(torch.zeros(0, dtype=torch.long), torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    raw = torch.zeros(2, len(net.get_buffer("cell")), 8, requires_grad=True)
    parts = detection_loss(net)(raw, none)
    parts["loss"].backward()
    assert float(parts["box"].detach()) == 0 == float(parts["classes"].detach())
    assert raw.grad is not None and (raw.grad[..., 4] > 0).all() and not raw.grad[..., :4].any()


def test_weights_go_through_a_file_and_timm_carries_too(tmp_path) -> None:  # type: ignore[no-untyped-def]
    net = network(trunk="resnet-tiny").eval()
    save_weights(tmp_path / "a.safetensors", net.state_dict())
    other = network(trunk="resnet-tiny").eval()
    load_weights(other, tmp_path / "a.safetensors")
    x = torch.rand(1, 3, 64, 96)
    assert torch.equal(net(x)["raw"], other(x)["raw"])
    assert network(trunk="resnet10t").eval()(x)["candidate_boxes"].shape[2] == 4


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"size": (64, 90)}, "multiples of 32"),
        ({"anchors": []}, "some for each of 1 to 3 maps"),
        ({"trunk": "no-such-network"}, "a name timm knows"),
        ({"trunk": "vit_tiny_patch16_224"}, "backbone"),
    ],
)
def test_what_cannot_be_built_is_refused(said: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        network(**said)
