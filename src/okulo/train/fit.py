"""Going through the epochs: learn, measure, keep the best, write a state from which a run can go on.

What is the same for every recipe that takes steps. A recipe says what an epoch's batches are, what is
minimised, and how the network is measured.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.core.protocols import Progress
from okulo.nets.bundle import Bundle, save_bundle
from okulo.train import runfolder
from okulo.train.checkpoint import load_state, save_state
from okulo.train.devices import World
from okulo.train.loop import Batch, Learner, LossOf, train_epoch
from okulo.train.params import ClassifyParams
from okulo.train.plan import Plan, epochs_in

TRIAL_STEPS = (5, 15)
"""Steps to warm up and to time when the budget is given in seconds."""
History = list[dict[str, float]]


@dataclass
class Fit:
    """All that takes part in going through the epochs, and what has come of it so far."""

    params: ClassifyParams
    world: World
    plan: Plan
    learner: Learner
    architecture: dict[str, Any]
    epoch: Callable[[int], Iterable[Batch]]
    """An epoch's batches; its randomness is a function of seed and epoch alone."""
    loss_of: LossOf
    measure: Callable[[], Mapping[str, float]]
    """Figures of the weights that answer, on what was held apart; empty if nothing was."""
    best_by: str
    """The figure of `measure` that says which epoch is the best: the larger the better."""
    info: Callable[[Mapping[str, float]], ModelInfo]
    """What the model says of itself, given the best epoch."""
    history: History = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)


def begin(fit: Fit, *, resumed: bool, **facts: Any) -> None:
    """Write what is asked for and a first state, or go back to the state that was written last."""
    folder = fit.params.output
    if resumed:
        state = load_state(folder)
        fit.learner.restore(state["learner"])
        fit.history, fit.best = state["history"], state["best"]
        return
    if fit.world.leads:
        runfolder.write_config(
            folder,
            fit.params,
            device=str(fit.world.device),
            processes=fit.world.size,
            architecture=fit.architecture,
            versions=runfolder.versions(),
            **facts,
        )
        _save_state(fit)
    fit.world.wait()


def go_through(fit: Fit, progress: Progress) -> None:
    """Take all epochs that are left."""
    try:
        for epoch in range(len(fit.history), fit.plan.epochs):
            _one_epoch(fit, epoch, progress)
    except KeyboardInterrupt as stop:
        said = f"stopped; {len(fit.history)} of {fit.plan.epochs} epochs are kept, go on with: "
        command = f"okulo train {fit.params.items} -o {fit.params.output} --resume"
        raise KeyboardInterrupt(said + command) from stop


def epochs_by_trial(trial: Fit, seconds: float) -> int:
    """Time a few steps on a network that is thrown away, and say how many epochs fit."""
    warm, timed = TRIAL_STEPS
    started = time.perf_counter()
    done = 0
    for i, batch in enumerate(trial.epoch(0)):
        if i == warm:
            started, done = time.perf_counter(), 0
        trial.learner.step(batch, trial.loss_of)
        done += 1
        if i == warm + timed:
            break
    step_s = (time.perf_counter() - started) / done
    started = time.perf_counter()
    trial.measure()
    rest_s = time.perf_counter() - started + 0.1
    return int(trial.world.agree(epochs_in(seconds, step_s, trial.plan.steps_per_epoch, rest_s)))


def _one_epoch(fit: Fit, epoch: int, progress: Progress) -> None:
    label = f"epoch {epoch + 1} of {fit.plan.epochs}"
    if fit.best_by in fit.best:
        label += f" (best {fit.best[fit.best_by]:.1%})"
    started = time.perf_counter()
    batches = progress(fit.epoch(epoch), label=label, total=fit.plan.steps_per_epoch)
    figures = train_epoch(fit.learner, batches, fit.loss_of)
    if not math.isfinite(figures["loss"]):
        raise BadInput("loss", f"is no number any more in epoch {epoch + 1}", hint="try a smaller --lr")
    trained = time.perf_counter()
    row: dict[str, float] = {
        "epoch": epoch + 1,
        "lr": float(fit.learner.optimiser.param_groups[0]["lr"]),
        **{f"train_{name}": value for name, value in figures.items() if not name.endswith("_s")},
    }
    if fit.world.leads:
        row |= fit.measure()
    row |= {
        "images_per_s": fit.plan.steps_per_epoch * fit.plan.batch / (trained - started),
        "data_s": figures["data_s"],
        "step_s": figures["step_s"],
        "val_s": time.perf_counter() - trained,
    }
    fit.history.append(row)
    if fit.world.leads:
        _keep(fit, row)
    fit.world.wait()


def _keep(fit: Fit, row: dict[str, float]) -> None:
    """Write the epoch: weights first, then the state, which is what counts; the log can be made anew."""
    folder, by = fit.params.output, fit.best_by
    best = row.get(by, row["epoch"]) >= fit.best.get(by, fit.best.get("epoch", -1.0))
    if best:
        fit.best = row
    bundle = Bundle(fit.learner.answering, fit.architecture, fit.info(fit.best))
    if best:
        save_bundle(folder, bundle, "best")
    save_bundle(folder, bundle, "last")
    _save_state(fit)
    runfolder.write_metrics(folder, fit.history)


def _save_state(fit: Fit) -> None:
    state = {"learner": fit.learner.state(), "history": fit.history, "best": fit.best}
    save_state(fit.params.output, state)
