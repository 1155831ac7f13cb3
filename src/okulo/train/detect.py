"""The recipe "detect": from a table of pictures with boxes to the run folder of a detector.

A small YOLO with anchors (`nets.detector`, `nets.losses.detection`), measured by COCO's average precision on
what was held apart; the epochs, their state and their files are those of the other recipes (`train.fit`).
"""

import copy
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from okulo.algo.anchors import find_anchors, mean_overlap
from okulo.algo.detect import finish
from okulo.core.errors import BadInput
from okulo.core.model import OVERLAP, ModelInfo, Preprocess, Threshold
from okulo.core.nouns import Detections
from okulo.core.protocols import Progress, silent
from okulo.core.table import fingerprint
from okulo.evaluate.boxes import LOWEST
from okulo.io.tables import read_items
from okulo.metrics.detection import average_precision, best_threshold
from okulo.nets.blocks import zero_gamma
from okulo.nets.build import BUILDERS, build
from okulo.nets.detector import COARSEST, TRUNKS, Detector
from okulo.nets.losses.detection import batch_truth, detection_loss
from okulo.nets.timm_backbone import data_settings, load_backbone
from okulo.train import runfolder
from okulo.train.augment import make_changes, tint
from okulo.train.detect_data import Boxed, BoxFeed, choose_boxed, decode_boxed
from okulo.train.devices import World
from okulo.train.feed import pixels_of
from okulo.train.fit import Fit, epochs_by_trial
from okulo.train.loop import Batch, Learner, LossOf
from okulo.train.mosaic import Warp
from okulo.train.optim import make_optimiser
from okulo.train.params import ClassifyParams
from okulo.train.plan import EPOCHS, LIGHT, Plan, make_plan
from okulo.train.precision import Precision, choose_precision
from okulo.train.report import DetectReport
from okulo.train.schedule import make_schedule
from okulo.train.session import Data, carry_out, figures

SIDES = (96, 128, 160, 192, 224, 256, 320, 416)
BATCH = 16
LR = {"sgd": 0.05, "adamw": 0.003}
EMA = 0.998
PANELS: runfolder.Panels = {
    "loss": {"all": "train_loss", "boxes": "train_box", "sure": "train_sure", "classes": "train_classes"},
    "average precision": {"AP": "val_map", "at .5": "val_map_50"},
    "learning rate": {"": "lr"},
}
SILENT = {"mixup": 0.0, "policy": "none", "teacher": None, "balanced_sampling": False, "class_weights": False,
          "loss": "ce", "dropout": 0.0, "pretrained": False}  # fmt: skip
"""Switches of other recipes, as they must be."""


def run(params: ClassifyParams, progress: Progress = silent) -> DetectReport:
    """Train, and write the run folder."""
    return carry_out(
        params, progress, load=load_data, prepare=prepare, report=_report, settle=settle, panels=PANELS
    )


def settle(params: ClassifyParams) -> ClassifyParams:
    """Say what is left to the recipe to choose."""
    check(params)
    optimiser = "adamw" if params.optimiser == "auto" else params.optimiser
    return replace(params, optimiser=optimiser, batch=params.batch or BATCH)


def check(params: ClassifyParams) -> None:
    """Refuse switches that mean nothing here, so that nobody believes they did something."""
    for name, wanted in SILENT.items():
        if getattr(params, name) != wanted:
            raise BadInput(name.replace("_", "-"), "does nothing with --recipe detect", hint="leave it out")
    if params.fit == "crop":
        raise BadInput("fit", "crop would lose what lies at the edges", hint="letterbox or stretch")
    if params.input_size is not None and params.input_size % COARSEST:
        raise BadInput("input-size", wanted=f"a multiple of {COARSEST}", got=params.input_size)
    name = params.backbone.removeprefix("timm/")
    if name not in TRUNKS and (name in BUILDERS or name.split("-")[0] in BUILDERS):
        raise BadInput("backbone", wanted=f"{', '.join(TRUNKS)}, or a name of timm", got=params.backbone)


def load_data(params: ClassifyParams, store: Path, progress: Progress = silent) -> Data[Boxed]:
    """Choose the items and decode their pictures, into files where memory would not do."""
    items = read_items(params.items)
    chosen = choose_boxed(items, params.val_share, params.seed)
    preprocess = settle_input(params, chosen.train.frame)
    size = (len(chosen.train) + len(chosen.val)) * int(np.prod(preprocess.size)) * 3
    on_disk = size > params.memory * 1e9
    started = time.perf_counter()
    parts, findings = [], chosen.findings
    for part, place in ((chosen.train, store), (chosen.val, store.with_suffix(".val"))):
        made, bad = decode_boxed(part, chosen.classes, preprocess, place if on_disk else None, progress)
        parts.append(made)
        findings = findings + bad
    if not len(parts[0]) or not sum(map(len, parts[0].boxes)):
        raise BadInput("train", wanted="readable pictures with boxes", got=f"{len(parts[0])} pictures")
    taken = time.perf_counter() - started
    train, val = parts
    return Data(train, val, chosen.classes, preprocess, findings, fingerprint(items.frame), taken)


def settle_input(params: ClassifyParams, frame: pl.DataFrame) -> Preprocess:
    """Say what the network sees: by default the largest usual side that the median picture fills."""
    longer = float(np.median(frame.select(pl.max_horizontal("width", "height")).to_numpy()))
    side = params.input_size or max((s for s in SIDES if s <= longer * 1.1), default=SIDES[0])
    fit = "letterbox" if params.fit == "auto" else params.fit
    name = params.backbone.removeprefix("timm/")
    said = {} if name in TRUNKS else data_settings(name)
    if not said:
        return Preprocess(size=(side, side), fit=fit)
    return Preprocess(size=(side, side), fit=fit, mean=tuple(said["mean"]), std=tuple(said["std"]))


def settle_architecture(params: ClassifyParams, data: Data[Boxed]) -> dict[str, Any]:
    """Say how the network is built; its anchors are those of the training boxes."""
    sizes = np.concatenate(data.train.boxes)
    sizes = (sizes[:, 2:] - sizes[:, :2]).astype(np.float64)
    share = np.array(data.preprocess.size[::-1], float)
    anchors, _ = find_anchors(sizes / share, params.anchors * params.maps, np.random.default_rng(params.seed))
    rows = anchors.round(5).reshape(params.maps, params.anchors, 2).tolist()
    said = {"name": "detector", "trunk": params.backbone.removeprefix("timm/"), "classes": len(data.classes)}
    return {**said, "anchors": rows, "size": list(data.preprocess.size), "norm": params.norm}


def prepare(
    params: ClassifyParams, data: Data[Boxed], world: World, config: Mapping[str, Any] | None = None
) -> Fit:
    """Make network, plan, loss and learner; what a resumed run's `config` has settled stays so."""
    architecture = config["architecture"] if config else settle_architecture(params, data)
    network = start_network(params, architecture).to(world.device).to(memory_format=torch.channels_last)
    precision = choose_precision(config["precision"] if config else params.precision, world.device, network)
    versions = runfolder.versions()

    def made(plan: Plan, network: Detector) -> Fit:
        learner = _learner(params, network, plan, precision, world)
        return Fit(
            params=params, world=world, plan=plan, learner=learner, architecture=architecture,
            epoch=_feed(params, data, plan, world).epoch, loss_of=make_loss(params, network),
            measure=lambda: measure(learner.answering, data.val, settled(data), world.device),
            best_by="val_map", info=lambda best: _info(params, data, best, versions),
        )  # fmt: skip

    if config:
        return made(Plan(**config["plan"]), network)
    asked = replace(params, lr=params.lr if params.lr is not None else LR[params.optimiser])
    epochs = params.epochs or EPOCHS
    if params.seconds is not None:
        trial = made(make_plan(asked, len(data.train), 1, world.size), copy.deepcopy(network))
        epochs = epochs_by_trial(trial, params.seconds)
    return made(make_plan(asked, len(data.train), epochs, world.size), network)


def start_network(params: ClassifyParams, architecture: Mapping[str, Any]) -> Detector:
    """Build the network with its first weights: drawn from the seed, the trunk's from a file where one is."""
    torch.manual_seed(params.seed)
    network = build(architecture)
    assert isinstance(network, Detector)
    if params.zero_gamma:
        zero_gamma(network)
    if params.weights_file is not None:
        load_backbone(network.trunk, params.weights_file)
    return network


def make_loss(params: ClassifyParams, network: Detector) -> LossOf:
    """The loss of a batch that `BoxFeed` made."""
    loss_of = detection_loss(network, params.box_loss, iou_aware=params.iou_aware)

    def of_batch(outputs: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        return loss_of(outputs["raw"], batch_truth(batch))

    return of_batch


def _feed(params: ClassifyParams, data: Data[Boxed], plan: Plan, world: World) -> BoxFeed:
    light = plan.epochs >= LIGHT
    zoom = params.zoom if params.zoom is not None else (0.4 if light else 0.0)
    colour = params.colour if params.colour is not None else (0.3 if light else 0.0)
    changes = make_changes(erase=params.erase or 0.0, jpegs=params.jpeg)
    if colour:
        changes.insert(0, lambda pictures, rng: tint(pictures, colour, rng))
    return BoxFeed(
        data=data.train, preprocess=data.preprocess, world=world, batch=plan.batch, epochs=plan.epochs,
        seed=params.seed, warp=Warp(zoom=zoom, shift=plan.shift, flip=params.flip),
        mosaic=params.mosaic if params.mosaic is not None else (0.5 if light else 0.0),
        changes=tuple(changes),
    )  # fmt: skip


def _learner(
    params: ClassifyParams, network: nn.Module, plan: Plan, precision: Precision, world: World
) -> Learner:
    optimiser = make_optimiser(network, params, plan.lr)
    schedule = make_schedule(optimiser, plan.steps, plan.warmup_steps, cosine=params.cosine)
    ema = EMA if params.ema is None else params.ema
    return Learner(network, optimiser, schedule, precision, world, ema=ema, l1=params.l1)


def settled(data: Data[Boxed], threshold: float = LOWEST, how: str = "") -> ModelInfo:
    """What has to be known to make boxes of the network's answers."""
    said = Threshold(value=threshold, how=how)
    return ModelInfo(
        task="detect", preprocess=data.preprocess, classes=data.classes, threshold=said, overlap=OVERLAP
    )


@torch.inference_mode()
def find_all(
    network: nn.Module, data: Boxed, info: ModelInfo, device: torch.device, batch: int = 32
) -> Iterator[Detections]:
    """What a network finds in every picture, in the picture's own pixels; computed in fp32."""
    network.eval()
    for start in range(0, len(data), batch):
        images = torch.from_numpy(np.ascontiguousarray(data.pixels[start : start + batch])).to(device)
        said = network(pixels_of(images, info.preprocess))
        boxes, scores = (said[name].float().cpu().numpy() for name in ("candidate_boxes", "candidate_scores"))
        for row, (height, width) in enumerate(data.sizes[start : start + batch]):
            yield finish(boxes[row], scores[row], info, height, width)


def measure(network: nn.Module, data: Boxed, info: ModelInfo, device: torch.device) -> dict[str, float]:
    """COCO's average precision on what was held apart, and the score with the best F1 there."""
    if not sum(map(len, data.boxes)):
        return {}
    found = list(find_all(network, data, info, device))
    k = len(info.classes)
    said = average_precision(data.truth, found, classes=k)
    threshold, f1 = best_threshold(data.truth, found, classes=k)
    return {"val_map": said.mean, "val_map_50": said.at_50, "val_threshold": threshold, "val_f1": f1}


def _info(
    params: ClassifyParams, data: Data[Boxed], best: Mapping[str, float], versions: Mapping[str, str]
) -> ModelInfo:
    how = "best F1 at an overlap of .5 on val" if "val_threshold" in best else ""
    info = settled(data, round(best.get("val_threshold", 0.25), 3), how)
    metrics = {name: best[name] for name in ("val_map", "val_map_50", "val_f1") if name in best}
    return replace(info, name=params.backbone, metrics=metrics, data=data.fingerprint, versions=versions)


def _report(fit: Fit, data: Data[Boxed]) -> DetectReport:
    best = fit.best or fit.history[-1]
    anchors = np.array(fit.architecture["anchors"]).reshape(-1, 2) * data.preprocess.size[::-1]
    sizes = np.concatenate(data.train.boxes).astype(np.float64)
    return DetectReport(
        **figures(fit, data),
        anchors=tuple((float(w), float(h)) for w, h in anchors.round(1)),
        anchor_overlap=mean_overlap(sizes[:, 2:] - sizes[:, :2], anchors),
        train_boxes=sum(map(len, data.train.boxes)),
        val_boxes=sum(map(len, data.val.boxes)),
        val_map=best.get("val_map"),
        val_map_50=best.get("val_map_50"),
        threshold=best.get("val_threshold"),
    )
