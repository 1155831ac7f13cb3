"""`okulo predict`: answers for pictures in files, with a model file and nothing else."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.core.nouns import Findings
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.core.table import Items
from okulo.io.files import write_aside
from okulo.io.tables import write_items
from okulo.runtime.answer_files import Answered, answer_files
from okulo.runtime.engines import ENGINES
from okulo.runtime.find import find_items
from okulo.runtime.modelfile import ModelFile, load

FORMATS = (".parquet", ".csv", ".json")
TASKS = ("classify", "embed")


@dataclass(frozen=True, kw_only=True)
class PredictParams(Params):
    """Answer for pictures with a model file.

    Adds `best` (the likeliest class), `pred` (the same, empty for "don't know": below the model's threshold),
    `confidence` and `probabilities`; `error` says why a picture could not be answered.
    """

    model: Path = param(help="model file", positional=True)
    paths: tuple[Path, ...] = param(help="pictures, folders, globs, or one table of items", positional=True)
    output: Path = param(help="table to write: .parquet, .csv or .json", short="o")
    engine: str = param("onnxruntime", help="what runs the network", choices=ENGINES)
    batch: int = param(32, help="pictures in a batch", low=1, high=4096)
    workers: int | None = param(None, help="threads (default: one a core)", low=1, high=256)
    threshold: float | None = param(
        None, help="say \"don't know\" below this, in place of the model's own threshold", low=0, high=1
    )
    embedding: bool = param(False, help="also write the embedding")
    replace: bool = param(False, help="replace columns that the table has already")


@dataclass(frozen=True)
class PredictReport:
    """What was answered; `counts` is of the given answers, per class."""

    output: Path
    model: str
    task: str
    answered: int
    unsure: int
    threshold: float | None
    counts: dict[str, int]
    findings: Findings
    seconds: float
    cpu_seconds: float
    """CPU time of all threads over the same span: files read to table written, loading the model apart."""
    per_second: float
    engine: str
    agreement: float | None
    """How far the engine is from ONNX Runtime on a probe (relative; None: it is ONNX Runtime)."""


def run(params: PredictParams, progress: Progress = silent) -> PredictReport:
    """Answer every picture, rows in the order given; an unreadable one is a row with `error`."""
    if params.output.suffix not in FORMATS:
        raise BadInput("--output", wanted=f"a name ending in {', '.join(FORMATS)}", got=params.output.name)
    workers = params.workers or os.cpu_count() or 1
    model = load(params.model, params.engine, threads=1, batch_size=params.batch, callers=workers)
    outputs = _outputs(model, params)
    items, is_table = find_items(params.paths)
    if is_table:
        _refuse_taken(items, outputs, params.replace)
    start, cpu = time.perf_counter(), time.process_time()
    answers = answer_files(model, items.files(), outputs, params.batch, workers)
    rows = list(progress(answers, label="answering", total=len(items)))
    columns = _columns(rows, model.info, params.threshold, outputs)
    if not is_table:
        columns.insert_column(0, pl.Series("id", [row.id for row in rows], dtype=pl.String))
    items = items.add(columns, replace_columns=params.replace or not is_table)
    _write(items, params.output, model.info)
    spent = time.perf_counter() - start, time.process_time() - cpu
    return _report(params, model, items, *spent)


def _outputs(model: ModelFile, params: PredictParams) -> list[str]:
    if model.info.task not in TASKS:
        raise BadInput(str(params.model), wanted="a model that classifies or embeds", got=model.info.task)
    outputs = ["probabilities"] if model.info.task == "classify" else []
    if params.embedding or model.info.task == "embed":
        if "embedding" not in model.outputs:
            raise BadInput("--embedding", "this model file has no output 'embedding'")
        if params.output.suffix == ".csv":
            raise BadInput("embedding", "a CSV holds no vectors", hint="write a .parquet")
        outputs.append("embedding")
    return outputs


def _refuse_taken(items: Items, outputs: Sequence[str], replace_columns: bool) -> None:
    """Say before the work, not after it, that the table has such columns."""
    made = [*outputs, *(("best", "pred", "confidence") if "probabilities" in outputs else ()), "error"]
    taken = [name for name in made if name in items.frame.columns]
    if taken and not replace_columns:
        raise BadInput("table", f"already has {', '.join(taken)}", hint="--replace replaces them")


def _columns(
    rows: Sequence[Answered], info: ModelInfo, threshold: float | None, outputs: Sequence[str]
) -> pl.DataFrame:
    made: list[pl.Series] = []
    if "probabilities" in outputs:
        made += _classes(rows, info, _threshold(info, threshold))
    if "embedding" in outputs:
        made.append(_vectors("embedding", rows))
    return pl.DataFrame([*made, pl.Series("error", [row.error for row in rows], dtype=pl.String)])


def _threshold(info: ModelInfo, wanted: float | None) -> float | None:
    return wanted if wanted is not None else info.threshold.value if info.threshold else None


def _classes(rows: Sequence[Answered], info: ModelInfo, threshold: float | None) -> list[pl.Series]:
    best: list[str | None] = []
    pred: list[str | None] = []
    confidence: list[float | None] = []
    for row in rows:
        share = row.answer["probabilities"] if row.answer else None
        index = None if share is None else int(share.argmax())
        sure = None if share is None or index is None else float(share[index])
        best.append(None if index is None else info.classes[index])
        pred.append(best[-1] if sure is not None and sure >= (threshold or 0) else None)
        confidence.append(sure)
    return [
        pl.Series("best", best, dtype=pl.String),
        pl.Series("pred", pred, dtype=pl.String),
        pl.Series("confidence", confidence, dtype=pl.Float32),
        _vectors("probabilities", rows, len(info.classes)),
    ]


def _vectors(name: str, rows: Sequence[Answered], length: int = 0) -> pl.Series:
    found = [row.answer[name] for row in rows if row.answer]
    length = len(found[0]) if found else max(length, 1)
    matrix = np.zeros((len(rows), length), np.float32)
    matrix[[index for index, row in enumerate(rows) if row.answer]] = found if found else 0
    vectors = pl.Series(name, matrix, dtype=pl.Array(pl.Float32, length))
    known = pl.Series([row.answer is not None for row in rows])
    return pl.select(pl.when(known).then(vectors).otherwise(None).alias(name)).to_series()


def _write(items: Items, output: Path, info: ModelInfo) -> None:
    if output.suffix == ".parquet":
        write_items(items, output)
        return
    frame = items.frame
    with write_aside(output) as aside:
        if output.suffix == ".json":
            rows = "".join(
                f"\n  {json.dumps(row, ensure_ascii=False)}," for row in frame.iter_rows(named=True)
            )
            aside.write_text(f"[{rows.rstrip(',')}\n]\n", encoding="utf-8")
            return
        if "probabilities" in frame.columns:  # a CSV holds no vectors: one column a class
            one = [
                pl.col("probabilities").arr.get(index).alias(f"probability {name}")
                for index, name in enumerate(info.classes)
            ]
            frame = frame.with_columns(one).drop("probabilities")
        flat = [name for name, kind in frame.schema.items() if not kind.is_nested()]
        frame.select(flat).write_csv(aside)


def _report(
    params: PredictParams, model: ModelFile, items: Items, seconds: float, cpu_seconds: float
) -> PredictReport:
    frame = items.frame
    broken = frame.filter(pl.col("error").is_not_null()).select("path", "error")
    answered = len(frame) - len(broken)
    given = frame["pred"].drop_nulls() if "pred" in frame.columns else pl.Series("pred", [], dtype=pl.String)
    counts = dict(given.value_counts(sort=True).sort("count", "pred", descending=[True, False]).rows())
    return PredictReport(
        output=params.output,
        model=model.info.name or params.model.name,
        task=model.info.task,
        answered=answered,
        unsure=answered - len(given) if model.info.task == "classify" else 0,
        threshold=_threshold(model.info, params.threshold),
        counts=counts,
        findings=Findings.of([(path, "unreadable", 1.0, why) for path, why in broken.rows()]),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        per_second=answered / max(seconds, 1e-9),
        engine=params.engine,
        agreement=model.agreement,
    )
