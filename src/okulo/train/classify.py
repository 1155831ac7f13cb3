"""The recipe "classify": from a table of labelled pictures to a run folder.

`run` settles what is asked, `_prepare` makes everything that takes part, `_fit` goes through the epochs.
Each epoch's randomness is a function of seed and epoch alone, and a state is written after each: a run that
was killed goes on as if nothing had happened.
"""

import copy
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo, Preprocess
from okulo.core.nouns import Findings
from okulo.core.protocols import Progress, silent
from okulo.core.table import Items, fingerprint
from okulo.io.files import write_json
from okulo.io.tables import read_items
from okulo.nets.blocks import zero_gamma
from okulo.nets.build import build
from okulo.nets.bundle import Bundle, save_bundle
from okulo.nets.cost import cost
from okulo.nets.losses.targets import gap_optimum
from okulo.nets.timm_backbone import TimmClassifier, fetch_pretrained, load_backbone
from okulo.train import runfolder
from okulo.train.augment import make_changes
from okulo.train.checkpoint import load_state, save_state
from okulo.train.data import Pictures, Row, choose_items, decode_all
from okulo.train.devices import World, join_world
from okulo.train.feed import Feed
from okulo.train.loop import Learner, LossOf, train_epoch
from okulo.train.measure import Measured, measure
from okulo.train.objective import make_loss, make_teacher
from okulo.train.optim import make_optimiser
from okulo.train.params import ClassifyParams
from okulo.train.plan import EPOCHS, Plan, epochs_in, make_plan
from okulo.train.precision import Precision, choose_precision
from okulo.train.report import TrainReport
from okulo.train.schedule import make_schedule
from okulo.train.settle import settle_architecture, settle_preprocess

TRIAL_STEPS = (5, 15)
"""Steps to warm up and to time when the budget is given in seconds."""


@dataclass(frozen=True)
class Data:
    """The pictures of a run, and what was left out."""

    train: Pictures
    val: Pictures
    classes: tuple[str, ...]
    preprocess: Preprocess
    findings: list[Row]
    fingerprint: str
    decode_s: float


@dataclass
class Job:
    """All that takes part in one run."""

    params: ClassifyParams
    world: World
    data: Data
    architecture: dict[str, Any]
    plan: Plan
    precision: Precision
    feed: Feed
    loss_of: LossOf
    learner: Learner
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=runfolder.versions)


def run(params: ClassifyParams, progress: Progress = silent) -> TrainReport:
    """Train, and write the run folder."""
    config: dict[str, Any] = {}
    if params.resume:
        params, config = runfolder.read_config(params.output, params)
    with join_world(params.device) as world:
        if world.leads and not config:
            runfolder.start_folder(params.output)
        progress = progress if world.leads else silent
        store = Path(params.output) / f"pictures-{world.rank}.cache"
        try:
            data = load_data(params, store, progress)
            if config and config["data"] != data.fingerprint:
                raise BadInput(
                    str(params.items), "is not the table the run began with", hint="start a new run"
                )
            job = prepare(params, data, world, config)
            _begin(job, resumed=bool(config))
            return _fit(job, progress)
        finally:
            store.unlink(missing_ok=True)


def load_data(params: ClassifyParams, store: Path | None = None, progress: Progress = silent) -> Data:
    """Choose the items and decode their pictures, into the file `store` where memory would not do."""
    items = read_items(params.items)
    chosen = choose_items(items, params.val_share, params.seed)
    preprocess = settle_preprocess(params, chosen.train)
    started = time.perf_counter()

    def decode(part: Items) -> tuple[Pictures, list[Row]]:
        size = len(part) * math.prod(preprocess.size) * 3
        aside = store if size > params.memory * 1e9 and part is chosen.train else None
        return decode_all(part, chosen.classes, preprocess, aside, progress)

    (train, bad), (val, worse) = decode(chosen.train), decode(chosen.val)
    if len(np.unique(train.labels)) < 2:
        raise BadInput(
            "train", wanted="readable pictures of two classes or more", got=f"{len(train)} pictures"
        )
    return Data(
        train,
        val,
        chosen.classes,
        preprocess,
        chosen.findings + bad + worse,
        fingerprint(items.frame),
        time.perf_counter() - started,
    )


def prepare(params: ClassifyParams, data: Data, world: World, config: dict[str, Any] | None = None) -> Job:
    """Make network, plan, loss and learner; what a resumed run's `config` has settled stays so."""
    architecture = settle_architecture(params, len(data.classes))
    network = start_network(params, architecture)
    network = network.to(world.device).to(memory_format=torch.channels_last)
    precision = choose_precision(config["precision"] if config else params.precision, world.device, network)
    loss_of = make_loss(params, data.train.labels, len(data.classes), world.device)

    def made(plan: Plan, network: nn.Module) -> Job:
        feed, learner = _feed(params, data, plan, world), _learner(params, network, plan, precision, world)
        return Job(params, world, data, architecture, plan, precision, feed, loss_of, learner)

    n = len(data.train)
    if config:
        return made(Plan(**config["plan"]), network)
    epochs = params.epochs or EPOCHS
    if params.seconds is not None:
        trial = made(make_plan(params, n, 1, world.size), copy.deepcopy(network))
        epochs = _epochs_by_trial(trial, params.seconds)
    return made(make_plan(params, n, epochs, world.size), network)


def start_network(params: ClassifyParams, architecture: dict[str, Any]) -> nn.Module:
    """Build the network with its first weights: drawn from the seed, or given."""
    torch.manual_seed(params.seed)
    network = build(architecture)
    if params.zero_gamma:
        zero_gamma(network)
    if params.weights_file is not None:
        load_backbone(network, params.weights_file)
    if params.pretrained:
        if not isinstance(network, TimmClassifier):
            raise BadInput("pretrained", f"there are no published weights of {params.backbone}")
        fetch_pretrained(network.backbone, architecture["model"])
    return network


def _feed(params: ClassifyParams, data: Data, plan: Plan, world: World) -> Feed:
    changes = make_changes(
        flips=params.flip,
        shifts=plan.shift,
        colour=plan.colour,
        erase=plan.erase,
        jpegs=params.jpeg,
        policy=params.policy,
    )
    return Feed(
        pictures=data.train,
        classes=len(data.classes),
        preprocess=data.preprocess,
        world=world,
        batch=plan.batch,
        seed=params.seed,
        smoothing=plan.label_smoothing,
        mixup=params.mixup,
        balanced=params.balanced_sampling,
        changes=tuple(changes),
        teacher=make_teacher(params, data.classes, world.device),
    )


def _learner(
    params: ClassifyParams, network: nn.Module, plan: Plan, precision: Precision, world: World
) -> Learner:
    optimiser = make_optimiser(network, params, plan.lr)
    schedule = make_schedule(optimiser, plan.steps, plan.warmup_steps, cosine=params.cosine)
    return Learner(network, optimiser, schedule, precision, world, ema=params.ema, l1=params.l1)


def _epochs_by_trial(trial: Job, seconds: float) -> int:
    """Time a few steps on a network that is thrown away, and say how many epochs fit."""
    warm, timed = TRIAL_STEPS
    started = time.perf_counter()
    done = 0
    for i, batch in enumerate(trial.feed.epoch(0)):
        if i == warm:
            started, done = time.perf_counter(), 0
        trial.learner.step(batch, trial.loss_of)
        done += 1
        if i == warm + timed:
            break
    step_s = (time.perf_counter() - started) / done
    started = time.perf_counter()
    _measure(trial)
    rest_s = time.perf_counter() - started + 0.1
    return int(trial.world.agree(epochs_in(seconds, step_s, trial.plan.steps_per_epoch, rest_s)))


def _measure(job: Job) -> Measured | None:
    if not len(job.data.val):
        return None
    return measure(job.learner.answering, job.data.val, job.data.preprocess, job.world.device)


def _begin(job: Job, *, resumed: bool) -> None:
    """Write what is asked for and a first state, or go back to the state that was written last."""
    folder = job.params.output
    if resumed:
        state = load_state(folder)
        job.learner.restore(state["learner"])
        job.history, job.best = state["history"], state["best"]
        return
    if job.world.leads:
        runfolder.write_config(
            folder,
            job.params,
            plan=asdict(job.plan),
            precision=job.precision.name,
            device=str(job.world.device),
            processes=job.world.size,
            architecture=job.architecture,
            preprocess=job.data.preprocess,
            classes=job.data.classes,
            data=job.data.fingerprint,
            versions=job.versions,
        )
        _save_state(job)
    job.world.wait()


def _save_state(job: Job) -> None:
    state = {"learner": job.learner.state(), "history": job.history, "best": job.best}
    save_state(job.params.output, state)


def _fit(job: Job, progress: Progress) -> TrainReport:
    epochs = job.plan.epochs
    try:
        for epoch in range(len(job.history), epochs):
            _one_epoch(job, epoch, progress)
    except KeyboardInterrupt as stop:
        said = f"stopped; {len(job.history)} of {epochs} epochs are kept, go on with: "
        command = f"okulo train {job.params.items} -o {job.params.output} --resume"
        raise KeyboardInterrupt(said + command) from stop
    report = _report(job)
    if job.world.leads:
        runfolder.write_metrics(job.params.output, job.history)
        runfolder.write_curves(job.params.output, job.history)
        write_json(job.params.output / runfolder.REPORT, report)
    job.world.wait()
    return report


def _one_epoch(job: Job, epoch: int, progress: Progress) -> None:
    label = f"epoch {epoch + 1} of {job.plan.epochs}"
    if "val_accuracy" in job.best:
        label += f" (best {job.best['val_accuracy']:.1%})"
    started = time.perf_counter()
    batches = progress(job.feed.epoch(epoch), label=label, total=job.plan.steps_per_epoch)
    figures = train_epoch(job.learner, batches, job.loss_of)
    if not math.isfinite(figures["loss"]):
        raise BadInput("loss", f"is no number any more in epoch {epoch + 1}", hint="try a smaller --lr")
    trained = time.perf_counter()
    row: dict[str, float] = {
        "epoch": epoch + 1,
        "lr": float(job.learner.optimiser.param_groups[0]["lr"]),
        "train_loss": figures["loss"],
        "train_accuracy": figures["accuracy"],
    }
    if job.world.leads and (measured := _measure(job)) is not None:
        row |= {
            "val_loss": measured.loss,
            "val_accuracy": measured.accuracy,
            "logit_gap": measured.logit_gap,
        }
    row |= {
        "images_per_s": job.plan.steps_per_epoch * job.plan.batch / (trained - started),
        "data_s": figures["data_s"],
        "step_s": figures["step_s"],
        "val_s": time.perf_counter() - trained,
    }
    job.history.append(row)
    if job.world.leads:
        _keep(job, row)
    job.world.wait()


def _keep(job: Job, row: dict[str, float]) -> None:
    """Write the epoch: weights first, then the state, which is what counts; the log can be made anew."""
    folder = job.params.output
    best = row.get("val_accuracy", row["epoch"]) >= job.best.get("val_accuracy", job.best.get("epoch", -1.0))
    if best:
        job.best = row
    bundle = Bundle(job.learner.answering, job.architecture, _info(job))
    if best:
        save_bundle(folder, bundle, "best")
    save_bundle(folder, bundle, "last")
    _save_state(job)
    runfolder.write_metrics(folder, job.history)


def _info(job: Job) -> ModelInfo:
    named = ("val_accuracy", "val_loss")
    return ModelInfo(
        task="classify",
        preprocess=job.data.preprocess,
        classes=job.data.classes,
        name=job.params.backbone,
        metrics={name: job.best[name] for name in named if name in job.best},
        data=job.data.fingerprint,
        versions=job.versions,
    )


def _report(job: Job) -> TrainReport:
    history, best = job.history, job.best or job.history[-1]
    steps, data = (sum(row[name] for row in history) for name in ("step_s", "data_s"))
    spent = cost(copy.deepcopy(job.learner.network), job.data.preprocess.size)
    smoothing = job.plan.label_smoothing
    return TrainReport(
        run=job.params.output,
        backbone=job.params.backbone,
        classes=job.data.classes,
        input_size=job.data.preprocess.size[0],
        train_items=len(job.data.train),
        val_items=len(job.data.val),
        parameters=spent.parameters,
        multiply_adds=spent.multiply_adds,
        precision=job.precision.name,
        device=str(job.world.device),
        processes=job.world.size,
        epochs=job.plan.epochs,
        best_epoch=int(best["epoch"]),
        train_loss=history[-1]["train_loss"],
        val_loss=best.get("val_loss"),
        val_accuracy=best.get("val_accuracy"),
        logit_gap=best.get("logit_gap"),
        logit_gap_optimum=gap_optimum(len(job.data.classes), smoothing) if smoothing else None,
        seconds=steps + data + sum(row["val_s"] for row in history),
        decode_seconds=job.data.decode_s,
        images_per_second=float(np.median([row["images_per_s"] for row in history])),
        step_share=steps / (steps + data),
        findings=Findings.of(job.data.findings),
    )
