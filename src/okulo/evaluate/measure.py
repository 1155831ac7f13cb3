"""`okulo evaluate`: ask a model for every item, and say in figures and on a page how good it is."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from okulo import __version__
from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.core.nouns import Findings
from okulo.core.params import Params, param
from okulo.core.protocols import Answer, Image, Predictor, Progress, silent
from okulo.core.table import Items, fingerprint
from okulo.evaluate.answers import Answers, answer_columns, ask, check_classifier
from okulo.evaluate.figures import Figures, curve_of, effect, measure
from okulo.evaluate.outcome import Coverage, EvaluateReport, Wrong
from okulo.evaluate.report import page
from okulo.evaluate.rules import best_trade, refuse_share, threshold_at
from okulo.evaluate.source import ALL, leaks, pick
from okulo.io.files import write_json, write_text
from okulo.io.tables import read_items, write_items
from okulo.metrics.reject import thin

SHARES = (0.05, 0.1, 0.2, 0.3)
"""Refused shares that the report lists."""

FEW = 100


@dataclass(frozen=True, kw_only=True)
class EvaluateParams(Params):
    """Measure a model on a table of labelled items: figures, a table of predictions, and a report page."""

    model: Path = param(help="model file, or run folder of `okulo train`", positional=True)
    items: Path = param(help="table with labels (Parquet, of `okulo scan`)", positional=True)
    output: Path = param(
        Path("evaluation"), help="folder for report.html, report.json, predictions.parquet", short="o"
    )
    split: str | None = param(
        None,
        help="train, val, test or all; by default test, else val, else all",
        choices=("train", "val", "test", ALL),
    )
    engine: str = param("onnxruntime", help="what runs a model file: onnxruntime, openvino, openvino-bf16")
    batch_size: int = param(64, help="pictures a batch", low=1)
    threads: int | None = param(None, help="threads that decode pictures; by default one a core", low=1)
    gallery: int = param(24, help="how many of the worst confident errors are shown", low=0, high=500)
    seed: int = param(0, help="of the bootstrap's resamples", low=0)


@dataclass(frozen=True)
class _Sorted:
    """The answers that can be measured: their place in the table, truth and probabilities."""

    row: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray
    coverage: Coverage
    findings: Findings


def run(
    params: EvaluateParams,
    predictor: Predictor[Image, Answer],
    info: ModelInfo,
    progress: Progress = silent,
) -> EvaluateReport:
    """Measure, and write `report.html`, `report.json` and `predictions.parquet` into the output folder."""
    check_classifier(info)
    items = read_items(params.items)
    _check_labels(items, info)
    part, split = pick(items, params.split, ("test", "val"))
    answers = ask(predictor, part, info, progress, batch_size=params.batch_size, threads=params.threads)
    usable = _sort_out(part, answers, info)
    report = _report(params, items, part, split, usable, info)
    columns = answer_columns(answers, info, len(part))
    write_items(part.add(columns, replace_columns=True), report.predictions)
    write_json(params.output / "report.json", _thinned(report))
    write_text(report.page, page(report, part))
    return report


def _check_labels(items: Items, info: ModelInfo) -> None:
    frame = items.frame
    if "label" not in frame.columns or frame["label"].null_count() == len(frame):
        several = "labels" in frame.columns and frame["labels"].null_count() < len(frame)
        hint = (
            "several labels an item cannot be measured yet"
            if several
            else "`okulo predict` answers without labels; `okulo threshold --rule refuse` needs none either"
        )
        raise BadInput("table", "has no label to measure against", hint=hint)
    if not set(frame["label"].drop_nulls().unique()) & set(info.classes):
        raise BadInput(
            "labels",
            wanted=f"classes of the model ({_some(info.classes)})",
            got=_some(sorted(frame["label"].drop_nulls().unique())),
            hint="was the model trained on other data?",
        )


def _some(names: object) -> str:
    listed = [str(name) for name in names] if isinstance(names, list | tuple) else []
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")


def labelled(items: Items, answers: Answers, info: ModelInfo) -> np.ndarray:
    """Class of each answered item as an index; −1: no label, −2: one that the model does not know."""
    place = {name: index for index, name in enumerate(info.classes)}
    labels = items.frame["label"].to_list() if "label" in items.frame.columns else [None] * len(items)
    return np.array(
        [-1 if labels[row] is None else place.get(labels[row], -2) for row in answers.row], np.int64
    )


def _sort_out(items: Items, answers: Answers, info: ModelInfo) -> _Sorted:
    truth = labelled(items, answers, info)
    known = truth >= 0
    if not known.any():
        raise BadInput("table", "none of the items measured has a label that the model knows")
    strange = truth == -2
    rows = [
        (
            items.frame["path"][int(row)],
            "unknown label",
            0.5,
            f"{items.frame['label'][int(row)]!r} is none of the model's classes",
        )
        for row in answers.row[strange]
    ]
    refused = answers.confidence[strange] < (info.threshold.value if info.threshold else 0.0)
    coverage = Coverage(
        items=len(items),
        measured=int(known.sum()),
        unreadable=len(answers.findings),
        unlabelled=int((truth == -1).sum()),
        unknown_label=int(strange.sum()),
        unknown_refused=int(refused.sum()),
    )
    findings = Findings(pl.concat([answers.findings.frame, Findings.of(rows).frame]))
    return _Sorted(answers.row[known], truth[known], answers.probabilities[known], coverage, findings)


def _report(
    params: EvaluateParams, items: Items, part: Items, split: str, usable: _Sorted, info: ModelInfo
) -> EvaluateReport:
    figures = measure(usable.truth, usable.probabilities, np.random.default_rng(params.seed))
    curve = curve_of(usable.truth, usable.probabilities)
    data = fingerprint(items.frame)
    thresholds = [threshold_at(curve, refuse_share(curve, share)) for share in SHARES]
    return EvaluateReport(
        model=params.model,
        name=info.name or params.model.name,
        items=params.items,
        data=data,
        split=split,
        classes=info.classes,
        coverage=usable.coverage,
        figures=figures,
        curve=curve,
        threshold=info.threshold,
        at_threshold=effect(curve, info.threshold.value) if info.threshold else None,
        suggested=effect(curve, threshold_at(curve, best_trade(curve))) if curve.has else None,
        useful=tuple(effect(curve, value) for value in thresholds),
        worst=_worst(params.gallery, part, usable, info),
        findings=usable.findings,
        warnings=_warnings(items, split, params.split, data, info, figures),
        versions={**info.versions, "okulo": __version__},
        page=params.output / "report.html",
        predictions=params.output / "predictions.parquet",
    )


def _worst(most: int, items: Items, usable: _Sorted, info: ModelInfo) -> tuple[Wrong, ...]:
    best, confidence = usable.probabilities.argmax(axis=1), usable.probabilities.max(axis=1)
    wrong = np.flatnonzero(best != usable.truth)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    return tuple(
        Wrong(
            path=items.frame["path"][int(usable.row[i])],
            label=info.classes[usable.truth[i]],
            best=info.classes[best[i]],
            confidence=float(confidence[i]),
        )
        for i in wrong
    )


def _warnings(
    items: Items, split: str, wanted: str | None, data: str, info: ModelInfo, figures: Figures
) -> tuple[str, ...]:
    said = leaks(items, split)
    if split == ALL and wanted is None:
        said.append("The table has no test or val split: every item was measured.")
    if split == ALL and info.data and info.data == data:
        said.append("The model was trained on this table: it has seen these pictures, the figures flatter.")
    elif split == "val" and info.data == data:
        said.append("Training chose its best weights on this split: figures on new data will be a bit lower.")
    present = int((figures.per_class.support > 0).sum())
    if present == 1:
        said.append("All items measured have the same label: accuracy here is the recall of that one class.")
    elif present < len(info.classes):
        said.append(
            f"{len(info.classes) - present} of the model's {len(info.classes)} classes have no item here: "
            "nothing is said about them."
        )
    if figures.n < FEW:
        said.append(f"Only {figures.n} items were measured: mind how wide the intervals are.")
    return tuple(said)


def _thinned(report: EvaluateReport) -> EvaluateReport:
    return replace(report, curve=thin(report.curve))
