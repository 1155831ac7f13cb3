"""What the classification recipe minimises, put together from the losses that were asked for."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from okulo.core.errors import BadInput
from okulo.core.model import Preprocess
from okulo.nets.bundle import Bundle, load_bundle
from okulo.nets.losses.bce import binary_cross_entropy
from okulo.nets.losses.brier import brier
from okulo.nets.losses.ce import cross_entropy
from okulo.nets.losses.distill import distill
from okulo.nets.losses.focal import focal
from okulo.nets.losses.targets import balanced_weights
from okulo.train.loop import Batch, LossOf
from okulo.train.params import ClassifyParams

RowLoss = Callable[..., Float[Tensor, " n"]]

LOSSES: Mapping[str, RowLoss] = {
    "ce": cross_entropy,
    "bce": binary_cross_entropy,
    "focal": focal,
    "brier": brier,
}


class Teacher:
    """A trained network whose softened answers a student learns (T5)."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        self.network: nn.Module = bundle.network.to(device).eval().requires_grad_(False)
        self.preprocess: Preprocess = bundle.info.preprocess

    @torch.no_grad()
    def answer(self, pixels: Float[Tensor, "n 3 H W"], seen: Preprocess) -> Float[Tensor, "n k"]:
        """Logits for the student's own pixels (also mixed ones), brought to the teacher's scale and size."""
        if seen.mean != self.preprocess.mean or seen.std != self.preprocess.std:
            pixels = _rescale(pixels, seen, self.preprocess)
        if tuple(pixels.shape[2:]) != self.preprocess.size:
            pixels = functional.interpolate(pixels, self.preprocess.size, mode="bilinear", antialias=True)
        logits: Tensor = self.network(pixels)["logits"]
        return logits.float()


def _rescale(pixels: Tensor, seen: Preprocess, wanted: Preprocess) -> Tensor:
    def column(values: tuple[float, float, float]) -> Tensor:
        return torch.tensor(values, device=pixels.device).view(3, 1, 1)

    return (pixels * column(seen.std) + column(seen.mean) - column(wanted.mean)) / column(wanted.std)


def make_teacher(params: ClassifyParams, classes: tuple[str, ...], device: torch.device) -> Teacher | None:
    """Load the teacher's run; one of other classes is BadInput."""
    if params.teacher is None:
        return None
    bundle = load_bundle(params.teacher)
    if bundle.info.classes != classes:
        raise BadInput("teacher", wanted=f"classes {', '.join(classes)}", got=", ".join(bundle.info.classes))
    return Teacher(bundle, device)


def make_loss(params: ClassifyParams, labels: np.ndarray, classes: int, device: torch.device) -> LossOf:
    """The loss of a batch with `targets`, `labels`, and the `teacher`'s logits if there is one."""
    rows: RowLoss = LOSSES[params.loss]
    if params.loss == "focal":
        rows = partial(focal, gamma=params.focal_gamma)
    weights = None
    if params.class_weights:
        weights = torch.from_numpy(balanced_weights(labels, classes)).float().to(device)

    def loss_of(outputs: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        logits = outputs["logits"].float()
        loss = rows(logits, batch["targets"], weights).mean()
        if "teacher" in batch:
            taught = distill(logits, batch["teacher"], params.temperature).mean()
            loss = (1 - params.distill_weight) * loss + params.distill_weight * taught
        right = (logits.argmax(dim=1) == batch["labels"]).float().mean()
        return {"loss": loss, "accuracy": right}

    return loss_of
