"""From decoded pictures to the batches a step takes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from okulo.core.model import Preprocess
from okulo.nets.losses.targets import smooth_targets
from okulo.nets.preprocess import normalise
from okulo.train.augment import Change, mixup
from okulo.train.data import Pictures, epoch_order, take
from okulo.train.devices import World
from okulo.train.loop import Batch
from okulo.train.objective import Teacher


@dataclass(frozen=True, kw_only=True)
class Feed:
    """How pictures become batches; the same for every epoch."""

    pictures: Pictures
    classes: int
    preprocess: Preprocess
    world: World
    batch: int
    seed: int
    smoothing: float = 0.0
    mixup: float = 0.0
    balanced: bool = False
    changes: tuple[Change, ...] = ()
    teacher: Teacher | None = None

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch: `pixels`, `targets`, `labels`, `teacher`; a rest that fills none is left.

        Each process takes its part of every batch; all parts together are the batch one process would take.
        """
        order = epoch_order(self.pictures.labels, self.seed, epoch, balanced=self.balanced)
        part = self.batch // self.world.size
        drawn = np.random.SeedSequence([self.seed, epoch, self.world.rank]).generate_state(2)
        torch.manual_seed(int(drawn[0]))  # dropout draws from torch's own generator
        rng = torch.Generator().manual_seed(int(drawn[1]))
        for start in range(0, len(order) - self.batch + 1, self.batch):
            first = start + part * self.world.rank
            yield self._batch(order[first : first + part], rng)

    def _batch(self, rows: np.ndarray, rng: torch.Generator) -> Batch:
        device = self.world.device
        images, labels = (each.to(device, non_blocking=True) for each in take(self.pictures, rows))
        planes = images.permute(0, 3, 1, 2)
        for change in self.changes:
            planes = change(planes, rng)
        images = planes.permute(0, 2, 3, 1)
        batch = {
            "pixels": pixels_of(images, self.preprocess),
            "targets": smooth_targets(labels, self.classes, self.smoothing),
            "labels": labels,
        }
        if self.mixup:
            batch["pixels"], batch["targets"] = mixup(batch["pixels"], batch["targets"], self.mixup, rng)
        if self.teacher is not None:
            batch["teacher"] = self.teacher.answer(batch["pixels"], self.preprocess)
        return batch


def pixels_of(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Bytes `[n, H, W, 3]` to pixels `[n, 3, H, W]`, laid out channels last, as convolutions like them."""
    return normalise(images, preprocess).contiguous(memory_format=torch.channels_last)


def plain_batches(
    pictures: Pictures, preprocess: Preprocess, device: torch.device, batch: int
) -> Iterator[Tensor]:
    """All pictures in order, unchanged, as pixels."""
    for start in range(0, len(pictures), batch):
        rows = np.arange(start, min(start + batch, len(pictures)))
        yield pixels_of(take(pictures, rows)[0].to(device), preprocess)
