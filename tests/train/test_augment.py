"""Changes to pictures: each picture its own draw, types and shapes kept, what they show kept."""

from typing import Any

import numpy as np
import pytest
import torch

from okulo.core.model import Preprocess
from okulo.io.images import decode, encode_jpeg
from okulo.train.augment import flip, jpeg, make_changes, mixup, shift
from okulo.train.data import Pictures
from okulo.train.devices import World
from okulo.train.feed import Feed


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int = 32, side: int = 16) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=rng(7))


ALL: list[dict[str, Any]] = [
    {"flips": True}, {"shifts": 0.1}, {"colour": 0.3}, {"erase": 1.0}, {"jpegs": 1.0},
    {"policy": "trivial"}, {"policy": "rand"},
]  # fmt: skip


@pytest.mark.parametrize("asked", ALL, ids=str)
def test_every_change_keeps_type_and_shape_and_follows_its_generator(asked: dict[str, Any]) -> None:
    (change,) = make_changes(**asked)
    given = pictures()
    before, state = given.clone(), torch.get_rng_state()
    first, again, other = change(given, rng(1)), change(given, rng(1)), change(given, rng(2))
    assert first.dtype == torch.uint8 and first.shape == given.shape
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(given, before), "its input is untouched"
    assert torch.equal(torch.get_rng_state(), state), "the global generator is untouched"


def test_nothing_asked_is_nothing_done() -> None:
    assert make_changes() == []


def test_flip_mirrors_about_half() -> None:
    given = pictures(400, 4)
    mirrored = (flip(given, rng()) == given.flip(3)).all(dim=(1, 2, 3)).float().mean()
    assert 0.4 < mirrored < 0.6


def test_shift_by_the_naive_way() -> None:
    given = pictures(16, 10)
    moved = shift(given, 0.2, rng())
    for before, after in zip(given.numpy(), moved.numpy()):
        padded = np.pad(before, ((0, 0), (2, 2), (2, 2)), mode="edge")
        crops = [padded[:, y : y + 10, x : x + 10] for y in range(5) for x in range(5)]
        assert any((crop == after).all() for crop in crops)


def test_kornias_jpeg_is_near_a_real_one() -> None:
    ramp = np.linspace(0, 255, 32)
    image = np.stack([np.tile(ramp, (32, 1)), np.tile(ramp[:, None], (1, 32)), np.full((32, 32), 90)], axis=2)
    image = image.astype(np.uint8)
    planes = torch.from_numpy(image).permute(2, 0, 1)[None]
    ours = jpeg(planes, 1.0, rng())[0].permute(1, 2, 0).numpy().astype(int)
    real = [decode(encode_jpeg(image, quality=q)).astype(int) for q in (20, 50, 80)]
    assert min(np.abs(ours - each).mean() for each in real) < 6


def test_mixup_blends_pixels_and_targets_alike() -> None:
    pixels = torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 3, 2, 2).contiguous()
    targets = torch.eye(4)
    mixed, blended = mixup(pixels, targets, 0.4, rng())
    torch.testing.assert_close(blended.sum(1), torch.ones(4))
    torch.testing.assert_close(mixed[:, 0, 0, 0], blended @ torch.arange(4.0))
    assert (blended.diagonal() >= 0.5).all()


def feed(world: World, batch: int = 8) -> Feed:
    data = np.random.default_rng(0).integers(0, 256, (20, 6, 6, 3)).astype(np.uint8)
    return Feed(
        pictures=Pictures(data, np.arange(20, dtype=np.int64) % 2),
        classes=2,
        preprocess=Preprocess(size=(6, 6)),
        world=world,
        batch=batch,
        seed=3,
    )


def test_two_processes_together_see_what_one_sees() -> None:
    cpu = torch.device("cpu")
    whole = list(feed(World(cpu)).epoch(1))
    halves = [list(feed(World(cpu, rank, 2)).epoch(1)) for rank in (0, 1)]
    assert len(whole) == 2, "a rest that fills no batch is left"
    for batch, one, two in zip(whole, *halves, strict=True):
        for name in ("pixels", "labels", "targets"):
            torch.testing.assert_close(batch[name], torch.cat([one[name], two[name]]))
    assert whole[0]["pixels"].is_contiguous(memory_format=torch.channels_last)
