"""Train the recipe trick by trick and say what each brought, with its spread over seeds."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from okulo.core.errors import BadInput
from okulo.core.protocols import Progress, silent
from okulo.core.report import to_json
from okulo.io.files import write_json, write_text
from okulo.io.tables import read_items
from okulo.nets.build import build
from okulo.train import runfolder
from okulo.train.ablate_params import AblateParams, AblateReport, Row
from okulo.train.classify import load_data, prepare
from okulo.train.data import Pictures, decode_all
from okulo.train.devices import World, find_device
from okulo.train.loop import train_epoch
from okulo.train.measure import measure
from okulo.train.params import ClassifyParams
from okulo.train.precision import choose_precision
from okulo.train.session import Data
from okulo.train.settle import settle_architecture
from okulo.train.tricks import baseline, tricks

RUNS = "runs.jsonl"


def run(params: AblateParams, progress: Progress = silent) -> AblateReport:
    """Train every row with every seed; write `runs.jsonl`, `ablation.json` and `ablation.md`."""
    world = World(find_device(params.device))
    start = baseline(params)
    data = load_data(ClassifyParams(**start), progress=progress)
    judged = _judged(params, data)
    steps = _steps(params, start, world)
    plan = [(i, seed) for seed in range(params.seeds) for i in range(len(steps))]
    scores = np.zeros((len(steps), params.seeds))
    seconds = np.zeros((len(steps), params.seeds))
    done = Done(params.output / RUNS, data.fingerprint)
    for i, seed in progress(plan, label=f"{len(steps)} rows × {params.seeds} seeds", total=len(plan)):
        said = ClassifyParams(**{**steps[i][1], "seed": seed})
        known = done.look_up(said)
        if known is None:
            known = _train_once(said, data, judged, world)
            done.add(said, known)
        scores[i, seed], seconds[i, seed] = known
    report = AblateReport(
        rows=_rows([name for name, _ in steps], scores, seconds, stacked=params.mode == "stack"),
        mode=params.mode,
        backbone=params.backbone,
        epochs=params.epochs,
        seeds=params.seeds,
        on=params.on,
        measured_items=len(judged),
        train_items=len(data.train),
        output=params.output,
    )
    facts = {"params": asdict(params), "data": data.fingerprint, "versions": runfolder.versions()}
    write_json(params.output / "ablation.json", {"report": report, **facts})
    write_text(params.output / "ablation.md", markdown(report))
    return report


class Done:
    """The runs that are finished, kept in a file: an ablation that was stopped goes on where it was."""

    def __init__(self, path: Path, data: str) -> None:
        self._path = path
        self._data = data
        lines = path.read_text().splitlines() if path.is_file() else []
        self._rows = [json.loads(line) for line in lines]

    def look_up(self, params: ClassifyParams) -> tuple[float, float] | None:
        """The accuracy and seconds of a run with these very settings and data, if there was one."""
        key = self._key(params)
        found = next((row for row in self._rows if row["run"] == key), None)
        return (found["accuracy"], found["seconds"]) if found else None

    def add(self, params: ClassifyParams, measured: tuple[float, float]) -> None:
        """Keep a run; the file is whole after each."""
        accuracy, seconds = measured
        self._rows.append({"run": self._key(params), "accuracy": accuracy, "seconds": seconds})
        write_text(self._path, "".join(json.dumps(row) + "\n" for row in self._rows))

    def _key(self, params: ClassifyParams) -> dict[str, Any]:
        said: dict[str, Any] = to_json(asdict(params))
        return {**said, "items": self._data, "output": ""}


def _judged(params: AblateParams, data: Data[Pictures]) -> Pictures:
    if params.on == "val":
        if not len(data.val):
            raise BadInput("on", "there is no val split", hint="give --on test")
        return data.val
    test = read_items(params.items).in_split("test")
    return decode_all(test, data.classes, data.preprocess)[0]


def _steps(params: AblateParams, start: dict[str, Any], world: World) -> list[tuple[str, dict[str, Any]]]:
    """The rows and the parameters of each: the baseline, and the tricks stacked or alone."""
    network = build(settle_architecture(ClassifyParams(**start), 2))
    fast = choose_precision("auto", world.device, network).name
    steps = [("baseline", start)]
    for trick in tricks(params, fast):
        ground = {**start, **trick.needs} if params.mode == "alone" else steps[-1][1]
        steps.append((trick.name, {**ground, **trick.changes}))
    return steps


def _train_once(
    params: ClassifyParams, data: Data[Pictures], judged: Pictures, world: World
) -> tuple[float, float]:
    fit = prepare(params, data, world)
    started = time.perf_counter()
    for epoch in range(fit.plan.epochs):
        train_epoch(fit.learner, fit.epoch(epoch), fit.loss_of)
    seconds = time.perf_counter() - started
    return measure(fit.learner.answering, judged, data.preprocess, world.device).accuracy, seconds


def _rows(names: Sequence[str], scores: np.ndarray, seconds: np.ndarray, *, stacked: bool) -> tuple[Row, ...]:
    """Means, spreads and paired gains of `scores` [row, seed]; gains are to the row before, or the first.

    >>> _, second = _rows(["a", "b"], np.array([[0.5, 0.7], [0.6, 0.9]]), np.ones((2, 2)), stacked=True)
    >>> round(second.mean, 3), round(second.gain, 3), round(second.gain_half_width, 3)
    (0.75, 0.15, 0.635)
    """
    rows = []
    n = scores.shape[1]
    for i, name in enumerate(names):
        gains = scores[i] - scores[i - 1 if stacked else 0]
        half = None
        if i and n > 1:
            half = float(stats.t.ppf(0.975, n - 1) * gains.std(ddof=1) / np.sqrt(n))
        rows.append(
            Row(
                name=name,
                accuracies=tuple(float(each) for each in scores[i]),
                mean=float(scores[i].mean()),
                std=float(scores[i].std(ddof=1)) if n > 1 else None,
                gain=float(gains.mean()) if i else None,
                gain_half_width=half,
                seconds=float(np.median(seconds[i])),
            )
        )
    return tuple(rows)


def markdown(report: AblateReport) -> str:
    """The table as Markdown, accuracies in percent."""
    sign = "+ " if report.mode == "stack" else ""
    lines = ["| | accuracy, % | gain | s a run |", "|---|---|---|---|"]
    for i, row in enumerate(report.rows):
        name = (sign if i else "") + row.name
        lines.append(f"| {name} | {accuracy_text(row)} | {gain_text(row)} | {row.seconds:.1f} |")
    about = (
        f"{report.backbone}, {report.train_items:,} pictures, {report.epochs} epochs, {report.seeds} seeds; "
        f"accuracy on {report.measured_items:,} pictures of {report.on}: mean ± standard deviation; "
        "gain: mean and 95 % interval, paired by seed (Student's t)."
    )
    return "\n".join([*lines, "", about, ""])


def accuracy_text(row: Row) -> str:
    """Mean and standard deviation over the seeds, in percent."""
    return f"{row.mean:.2%}".rstrip("%") + (f" ± {100 * row.std:.2f}" if row.std is not None else "")


def gain_text(row: Row) -> str:
    """Gain and half of its 95 % interval, in percentage points."""
    if row.gain is None:
        return ""
    half = f" ± {100 * row.gain_half_width:.2f}" if row.gain_half_width is not None else ""
    return f"{100 * row.gain:+.2f}{half}"
