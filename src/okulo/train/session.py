"""One run from what is asked for to its report: what every recipe that takes steps does alike.

A recipe says how pictures are loaded, what takes part (`train.fit.Fit`) and what its report says besides.
"""

import copy
from collections.abc import Callable, Mapping, Sized
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from okulo.core.errors import BadInput
from okulo.core.model import Preprocess
from okulo.core.nouns import Findings
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_json
from okulo.nets.cost import cost
from okulo.train import runfolder
from okulo.train.data import Row
from okulo.train.devices import World, join_world
from okulo.train.fit import Fit, begin, go_through
from okulo.train.params import ClassifyParams

P = TypeVar("P", bound=Sized)
R = TypeVar("R")


@dataclass(frozen=True)
class Data(Generic[P]):
    """The pictures of a run, and what was left out."""

    train: P
    val: P
    classes: tuple[str, ...]
    preprocess: Preprocess
    findings: list[Row]
    fingerprint: str
    decode_s: float


def carry_out(
    params: ClassifyParams,
    progress: Progress,
    *,
    load: Callable[[ClassifyParams, Path, Progress], Data[P]],
    prepare: Callable[[ClassifyParams, Data[P], World, Mapping[str, Any]], Fit],
    report: Callable[[Fit, Data[P]], R],
    settle: Callable[[ClassifyParams], ClassifyParams] = lambda params: params,
    panels: runfolder.Panels = runfolder.PANELS,
) -> R:
    """Train, and write the run folder; a resumed run keeps what its `config` has settled.

    `load` may put pictures into the file it is given, and into the one ending in `.val` beside it: both go.
    """
    config: dict[str, Any] = {}
    if params.resume:
        params, config = runfolder.read_config(params.output, params)
    params = settle(params)
    with join_world(params.device) as world:
        if world.leads and not config:
            runfolder.start_folder(params.output)
        progress = progress if world.leads else silent
        store = Path(params.output) / f"pictures-{world.rank}.cache"
        try:
            data = load(params, store, progress)
            if config and config["data"] != data.fingerprint:
                raise BadInput(
                    str(params.items), "is not the table the run began with", hint="start a new run"
                )
            fit = prepare(params, data, world, config)
            begin(fit, resumed=bool(config), plan=asdict(fit.plan), precision=fit.learner.precision.name,
                  preprocess=data.preprocess, classes=data.classes, data=data.fingerprint)  # fmt: skip
            go_through(fit, progress)
            said = report(fit, data)
            if world.leads:
                runfolder.write_metrics(params.output, fit.history)
                runfolder.write_curves(params.output, fit.history, panels)
                write_json(params.output / runfolder.REPORT, said)
            world.wait()
            return said
        finally:
            for each in (store, store.with_suffix(".val")):
                each.unlink(missing_ok=True)


def figures(fit: Fit, data: Data[P]) -> dict[str, Any]:
    """What the reports of all recipes that take steps say alike."""
    history, best = fit.history, fit.best or fit.history[-1]
    steps, waited = (sum(row[name] for row in history) for name in ("step_s", "data_s"))
    spent = cost(copy.deepcopy(fit.learner.network), data.preprocess.size)
    return {
        "run": fit.params.output,
        "backbone": fit.params.backbone,
        "classes": data.classes,
        "input_size": data.preprocess.size[0],
        "train_items": len(data.train),
        "val_items": len(data.val),
        "parameters": spent.parameters,
        "multiply_adds": spent.multiply_adds,
        "precision": fit.learner.precision.name,
        "device": str(fit.world.device),
        "processes": fit.world.size,
        "epochs": fit.plan.epochs,
        "best_epoch": int(best["epoch"]),
        "train_loss": history[-1]["train_loss"],
        "seconds": steps + waited + sum(row["val_s"] for row in history),
        "decode_seconds": data.decode_s,
        "images_per_second": float(np.median([row["images_per_s"] for row in history])),
        "step_share": steps / (steps + waited),
        "findings": Findings.of(data.findings),
    }
