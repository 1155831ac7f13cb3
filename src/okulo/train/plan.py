"""From parameters that say nothing of something to numbers: defaults that depend on the budget."""

import math
from dataclasses import dataclass

from okulo.core.errors import BadInput
from okulo.train.params import ClassifyParams

EPOCHS = 30
BATCH = 64
LIGHT = 8
"""From so many epochs on pictures are moved a little."""
LONG = 60
"""From so many on, what costs accuracy in a short budget pays: smoothing, colour, erasing."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run does, with every default settled; it is stored with the run, and a resumed run keeps it."""

    epochs: int
    steps_per_epoch: int
    batch: int
    lr: float
    warmup_steps: int
    label_smoothing: float
    shift: float
    colour: float
    erase: float

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch


def make_plan(params: ClassifyParams, n: int, epochs: int, world: int = 1) -> Plan:
    """Settle the defaults for `n` training pictures and so many epochs on `world` devices.

    >>> from pathlib import Path
    >>> said = ClassifyParams(items=Path("a"), output=Path("b"), batch=64, lr_scaling=True)
    >>> make_plan(said, n=1000, epochs=10).lr, make_plan(said, n=1000, epochs=10).steps
    (0.025, 150)
    """
    batch = min(params.batch or BATCH, n) // world * world
    if batch < world:
        raise BadInput(
            "batch", wanted=f"at least {world} pictures, one a device", got=min(params.batch or BATCH, n)
        )
    lr = params.lr if params.lr is not None else (0.003 if params.optimiser == "adamw" else 0.1)
    if params.lr_scaling:
        lr *= batch / 256
    steps = n // batch
    warmup = params.warmup_epochs if params.warmup_epochs is not None else min(5.0, epochs / 10)
    light, long = epochs >= LIGHT, epochs >= LONG
    return Plan(
        epochs=epochs,
        steps_per_epoch=steps,
        batch=batch,
        lr=lr,
        warmup_steps=min(round(warmup * steps), epochs * steps - 1),
        label_smoothing=_or(params.label_smoothing, 0.1 if long else 0.0),
        shift=_or(params.shift, 0.07 if light else 0.0),
        colour=_or(params.colour, 0.2 if long else 0.0),
        erase=_or(params.erase, 0.25 if long else 0.0),
    )


def _or(said: float | None, default: float) -> float:
    return default if said is None else said


def epochs_in(seconds: float, step_s: float, steps_per_epoch: int, rest_s: float) -> int:
    """How many epochs fit: each its steps and `rest_s` of measuring and writing; at least one.

    >>> epochs_in(100, step_s=0.05, steps_per_epoch=150, rest_s=0.5)
    12
    """
    return max(1, math.floor(seconds / (step_s * steps_per_epoch + rest_s)))
