"""The recipe "classify": from a table of labelled pictures to a run folder.

`load_data` decodes the pictures, `prepare` makes everything that takes part; `train.session` does the rest.
Each epoch's randomness is a function of seed and epoch alone, and a state is written after each: a run that
was killed goes on as if nothing had happened.
"""

import copy
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.core.protocols import Progress, silent
from okulo.core.table import Items, fingerprint
from okulo.io.tables import read_items
from okulo.nets.blocks import zero_gamma
from okulo.nets.build import build
from okulo.nets.losses.targets import gap_optimum
from okulo.nets.timm_backbone import TimmClassifier, fetch_pretrained, load_backbone
from okulo.train import runfolder
from okulo.train.augment import make_changes
from okulo.train.data import Pictures, Row, choose_items, decode_all
from okulo.train.devices import World
from okulo.train.feed import Feed
from okulo.train.fit import Fit, epochs_by_trial
from okulo.train.loop import Learner
from okulo.train.measure import measure
from okulo.train.objective import make_loss, make_teacher
from okulo.train.optim import make_optimiser
from okulo.train.params import ClassifyParams
from okulo.train.plan import EPOCHS, Plan, make_plan
from okulo.train.precision import Precision, choose_precision
from okulo.train.report import TrainReport
from okulo.train.schedule import make_schedule
from okulo.train.session import Data, carry_out, figures
from okulo.train.settle import settle_architecture, settle_preprocess


def run(params: ClassifyParams, progress: Progress = silent) -> TrainReport:
    """Train, and write the run folder."""
    return carry_out(params, progress, load=load_data, prepare=prepare, report=_report)


def load_data(
    params: ClassifyParams, store: Path | None = None, progress: Progress = silent
) -> Data[Pictures]:
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


def prepare(
    params: ClassifyParams, data: Data[Pictures], world: World, config: Mapping[str, Any] | None = None
) -> Fit:
    """Make network, plan, loss and learner; what a resumed run's `config` has settled stays so."""
    architecture = settle_architecture(params, len(data.classes))
    network = start_network(params, architecture)
    network = network.to(world.device).to(memory_format=torch.channels_last)
    precision = choose_precision(config["precision"] if config else params.precision, world.device, network)
    loss_of = make_loss(params, data.train.labels, len(data.classes), world.device)
    versions = runfolder.versions()

    def made(plan: Plan, network: nn.Module) -> Fit:
        learner = _learner(params, network, plan, precision, world)
        return Fit(
            params=params, world=world, plan=plan, learner=learner, architecture=architecture,
            epoch=_feed(params, data, plan, world).epoch, loss_of=loss_of,
            measure=lambda: _measure(learner, data), best_by="val_accuracy",
            info=lambda best: _info(params, data, best, versions),
        )  # fmt: skip

    n = len(data.train)
    if config:
        return made(Plan(**config["plan"]), network)
    epochs = params.epochs or EPOCHS
    if params.seconds is not None:
        trial = made(make_plan(params, n, 1, world.size), copy.deepcopy(network))
        epochs = epochs_by_trial(trial, params.seconds)
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


def _feed(params: ClassifyParams, data: Data[Pictures], plan: Plan, world: World) -> Feed:
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


def _measure(learner: Learner, data: Data[Pictures]) -> dict[str, float]:
    """Accuracy and loss on val; nothing where there is none."""
    if not len(data.val):
        return {}
    said = measure(learner.answering, data.val, data.preprocess, learner.world.device)
    return {"val_loss": said.loss, "val_accuracy": said.accuracy, "logit_gap": said.logit_gap}


def _info(
    params: ClassifyParams, data: Data[Pictures], best: Mapping[str, float], versions: Mapping[str, str]
) -> ModelInfo:
    named = ("val_accuracy", "val_loss")
    return ModelInfo(
        task="classify",
        preprocess=data.preprocess,
        classes=data.classes,
        name=params.backbone,
        metrics={name: best[name] for name in named if name in best},
        data=data.fingerprint,
        versions=versions,
    )


def _report(fit: Fit, data: Data[Pictures]) -> TrainReport:
    best, smoothing = fit.best or fit.history[-1], fit.plan.label_smoothing
    return TrainReport(
        **figures(fit, data),
        val_loss=best.get("val_loss"),
        val_accuracy=best.get("val_accuracy"),
        logit_gap=best.get("logit_gap"),
        logit_gap_optimum=gap_optimum(len(data.classes), smoothing) if smoothing else None,
    )
