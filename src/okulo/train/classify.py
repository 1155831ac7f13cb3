"""The recipe "classify": from a table of labelled pictures to a run folder.

`run` settles what is asked, `prepare` makes everything that takes part, `fit` goes through the epochs.
Each epoch's randomness is a function of seed and epoch alone, and a state is written after each: a run that
was killed goes on as if nothing had happened.
"""

import copy
import math
import time
from collections.abc import Mapping
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
from okulo.nets.cost import cost
from okulo.nets.losses.targets import gap_optimum
from okulo.nets.timm_backbone import TimmClassifier, fetch_pretrained, load_backbone
from okulo.train import runfolder
from okulo.train.augment import make_changes
from okulo.train.data import Pictures, Row, choose_items, decode_all
from okulo.train.devices import World, join_world
from okulo.train.feed import Feed
from okulo.train.fit import Fit, begin, epochs_by_trial, go_through
from okulo.train.loop import Learner, LossOf
from okulo.train.measure import measure
from okulo.train.objective import make_loss, make_teacher
from okulo.train.optim import make_optimiser
from okulo.train.params import ClassifyParams
from okulo.train.plan import EPOCHS, Plan, make_plan
from okulo.train.precision import Precision, choose_precision
from okulo.train.report import TrainReport
from okulo.train.schedule import make_schedule
from okulo.train.settle import settle_architecture, settle_preprocess


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
            fit = _fit(job)
            begin(fit, resumed=bool(config), plan=asdict(job.plan), precision=job.precision.name,
                  preprocess=data.preprocess, classes=data.classes, data=data.fingerprint)  # fmt: skip
            go_through(fit, progress)
            return _finish(job, fit)
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
        epochs = epochs_by_trial(_fit(trial), params.seconds)
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
    return Learner(network, optimiser, schedule, precision, world, ema=params.ema or 0.0, l1=params.l1)


def _measure(job: Job) -> dict[str, float]:
    """Accuracy and loss on val; nothing where there is none."""
    if not len(job.data.val):
        return {}
    said = measure(job.learner.answering, job.data.val, job.data.preprocess, job.world.device)
    return {"val_loss": said.loss, "val_accuracy": said.accuracy, "logit_gap": said.logit_gap}


def _fit(job: Job) -> Fit:
    return Fit(
        params=job.params,
        world=job.world,
        plan=job.plan,
        learner=job.learner,
        architecture=job.architecture,
        epoch=job.feed.epoch,
        loss_of=job.loss_of,
        measure=lambda: _measure(job),
        best_by="val_accuracy",
        info=lambda best: _info(job, best),
    )


def _finish(job: Job, fit: Fit) -> TrainReport:
    report = _report(job, fit)
    if job.world.leads:
        runfolder.write_metrics(job.params.output, fit.history)
        runfolder.write_curves(job.params.output, fit.history)
        write_json(job.params.output / runfolder.REPORT, report)
    job.world.wait()
    return report


def _info(job: Job, best: Mapping[str, float]) -> ModelInfo:
    named = ("val_accuracy", "val_loss")
    return ModelInfo(
        task="classify",
        preprocess=job.data.preprocess,
        classes=job.data.classes,
        name=job.params.backbone,
        metrics={name: best[name] for name in named if name in best},
        data=job.data.fingerprint,
        versions=job.versions,
    )


def _report(job: Job, fit: Fit) -> TrainReport:
    history, best = fit.history, fit.best or fit.history[-1]
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
