"""`okulo audit`: a queue of labels to look at again, the surest errors first, and how many there may be."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.errors import BadInput, need
from okulo.core.nouns import Findings
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.core.table import SPLITS, Items
from okulo.curate.audit_columns import read_groups, read_labels, read_vectors
from okulo.curate.audit_estimate import Estimate, calibrate, expected_yield
from okulo.curate.audit_many import judge_many
from okulo.curate.audit_one import Judged, judge_one
from okulo.curate.outliers import find_neighbours, find_outliers, outlier_score
from okulo.curate.suspicious import find_suspicious, measure_looks
from okulo.io.tables import read_items, write_findings, write_items
from okulo.io.walk import Row

KINDS = {
    "contradiction": "copies of one picture with different labels",
    "wrong-label": "the label is not what it looks like",
    "missing-label": "a class that seems to hold is not named",
    "extra-label": "a class is named that seems not to hold",
    "unknown-class": "the label is no class; not judged",
    "small-class": "too few items to judge; left out",
    "no-embedding": "no vector, or one that is not finite; not judged",
    "outlier": "like no other picture",
    "unreadable": "the file is missing, or cannot be decoded",
    "blank": "one colour throughout",
    "dark": "nearly black",
    "bright": "nearly white",
    "blurred": "far softer than the others",
    "low-information": "hardly anything in it",
    "odd-shape": "very long and narrow",
    "tiny": "far smaller than the others",
}
"""Every kind of finding an audit makes, the first to look at first."""

GENERAL = ("small-class",)
COLUMNS = ("issue", "suggested", "severity", "rank")

Retrain = Callable[[Items, np.ndarray, tuple[str, ...], Progress], np.ndarray]
"""Items, the fold of each, the classes: out-of-fold probabilities of a network trained once a fold."""


@dataclass(frozen=True, kw_only=True)
class AuditParams(Params):
    """Find wrong labels, outliers and suspicious pictures: a queue, the surest first.

    Needs an `embedding` column (`okulo embed`) and `label`, or `labels`. Adds `issue`, `suggested`,
    `severity` and `rank`, and writes findings beside the table.
    """

    items: Path = param(help="table of items", positional=True)
    output: Path | None = param(None, help="the table with new columns (default: in place)", short="o")
    source: str = param(
        "probe",
        help="who is asked: a probe on embeddings, or the column `probabilities` (must be out of fold)",
        choices=("probe", "given"),
    )
    deep: bool = param(False, help="train the network once a fold instead: slow, and sees more")
    embedding: str = param("embedding", help="column of the vectors")
    classes: str = param("", help="the classes, with commas between (default: those of the labels)")
    folds: int = param(5, help="parts; each is judged by models that did not see it", low=2, high=50)
    rounds: int = param(2, help="times to ask; later ones hear doubted labels less", low=1, high=5)
    verdicts: str = param("", help="verdict store: fit the estimate to what people said")
    pictures: bool = param(True, help="look at the picture files too")
    max_aspect: float = param(4.0, help="a picture longer than so many times its width is odd", low=1)
    min_side: int = param(8, help="a picture with a shorter side, px, is tiny", low=1)
    epochs: int = param(8, help="with --deep: epochs a fold", low=1)
    replace: bool = param(False, help="replace the columns of an earlier audit")
    seed: int = param(0, help="of folds and landmarks", low=0)


@dataclass(frozen=True)
class AuditReport:
    """What an audit found."""

    items: int
    judged: int
    asked: str
    """Who was asked."""
    estimate: Estimate
    calibrated: int
    """Verdicts the estimate was fitted to."""
    expected: list[tuple[int, float, float]]
    """Depth of the queue, wrong labels it should hold, share of all wrong ones."""
    kinds: dict[str, int]
    splits: dict[str, int]
    """Label issues in each split."""
    pairs: list[tuple[str, str, int]]
    """Label, suggested, how often among the issues; most first."""
    top: list[tuple[str, str, str, float]]
    """First of the queue: path, label, suggested, severity."""
    output: Path
    findings_file: Path


def run(params: AuditParams, progress: Progress = silent, retrain: Retrain | None = None) -> AuditReport:
    """Judge every label, look at every picture, write the table and its findings."""
    items = read_items(params.items)
    _check(items, params)
    rng = np.random.default_rng(params.seed)
    judged = _judge(items, params, progress, retrain, rng)
    estimate, severity, calibrated = _calibrated(items, judged, params)
    rows = [*judged.rows, *_outliers(items.frame, params)]
    if params.pictures:
        looks = measure_looks(items.files(), progress=progress)
        paths = items.frame["path"].to_list()
        rows += find_suspicious(paths, looks, max_aspect=params.max_aspect, min_side=params.min_side)
    columns, label_rows = _columns(items.frame, judged, severity, rows)
    output = params.output or params.items
    findings_file = output.with_name(f"{output.stem}.audit.parquet")
    findings = Findings.of([*label_rows, *rows])
    written = items.add(columns, replace_columns=params.replace)
    write_findings(findings, items.root, findings_file, general=GENERAL)
    write_items(written, output)
    return _report(params, written, judged, estimate, severity, calibrated, findings, findings_file)


def _check(items: Items, params: AuditParams) -> None:
    taken = [name for name in COLUMNS if name in items.frame.columns]
    if taken and not params.replace:  # before the work, not after it
        raise BadInput("table", f"already has {', '.join(taken)}", hint="--replace writes them anew")
    if not len(items):
        raise BadInput("table", wanted="at least one item", got="none")


def _judge(
    items: Items, params: AuditParams, progress: Progress, retrain: Retrain | None, rng: np.random.Generator
) -> Judged:
    classes = tuple(name.strip() for name in params.classes.split(",") if name.strip())
    if "labels" in items.frame.columns and items.frame["labels"].null_count() < len(items):
        if params.deep or params.source == "given":
            raise BadInput(
                "table", "has several labels an item", hint="only the probe on embeddings judges these"
            )
        return judge_many(items.frame, classes, params.embedding, params.folds, params.rounds, rng, progress)
    index, known, rows = read_labels(items.frame, classes)
    return judge_one(
        items, index, known, rows,
        source="deep" if params.deep else params.source, column=params.embedding, said=bool(classes),
        folds=params.folds, rounds=params.rounds, retrain=retrain, rng=rng, progress=progress,
    )  # fmt: skip


def _calibrated(items: Items, judged: Judged, params: AuditParams) -> tuple[Estimate, np.ndarray, int]:
    if not params.verdicts:
        return judged.estimate, judged.severity, 0
    need("sqlalchemy", extra="serve", verb="okulo audit --verdicts")
    from okulo.curate.verdicts import open_store

    with open_store(params.verdicts, create=False) as store:
        said = store.current("label").filter(pl.col("answer").is_in(["keep", "change", "remove"]))
    if judged.many:
        raise BadInput("verdicts", "fit tables with one label an item only")
    # A verdict on another label than the one that is audited now says nothing of it.
    wrong = {(row["item"], row["given"]): row["answer"] != "keep" for row in said.iter_rows(named=True)}
    keys = list(zip(items.frame["id"], items.frame["label"]))
    place = [j for j, i in enumerate(judged.where) if keys[i] in wrong]
    if not place:
        return judged.estimate, judged.severity, 0
    answers = np.array([wrong[keys[judged.where[j]]] for j in place])
    order = np.lexsort((-judged.doubt, ~judged.contradicts))
    estimate, severity = calibrate(
        judged.severity, order, np.array(place, np.int64), answers, before=judged.estimate
    )
    return estimate, severity, len(place)


def _outliers(frame: pl.DataFrame, params: AuditParams) -> list[Row]:
    if params.embedding not in frame.columns:
        return []
    vectors, usable = read_vectors(frame, params.embedding)
    where = np.flatnonzero(usable)
    groups = read_groups(frame)
    near = find_neighbours(vectors[where], None if groups is None else groups[where], m=10)
    score = outlier_score(near)
    paths = frame["path"]
    found = np.flatnonzero(find_outliers(score))
    rows: list[Row] = [
        (paths[int(i)], "no-embedding", 0.6, "has no vector, or one that is not finite")
        for i in np.flatnonzero(~usable)
    ]
    for j in found[np.argsort(-score[found])].tolist():
        reason = f"{score[j]:.1f} times as far from its neighbours as they are from theirs"
        rows.append((paths[int(where[j])], "outlier", float(1 - 1 / score[j]), reason))
    return rows


def _columns(
    frame: pl.DataFrame, judged: Judged, severity: np.ndarray, rows: list[Row]
) -> tuple[pl.DataFrame, list[Row]]:
    """The new columns, and the findings about labels, in the order of the queue."""
    n = len(frame)
    issue: list[str | None] = [None] * n
    suggested: list[str | None] = [None] * n
    rank: list[int | None] = [None] * n
    whole: list[float | None] = [None] * n
    paths = frame["path"].to_list()
    order = np.lexsort((-judged.doubt, ~judged.contradicts))
    found: list[Row] = []
    for place, j in enumerate(order.tolist()):
        i = int(judged.where[j])
        rank[i], whole[i] = place + 1, float(severity[j])
        kind = judged.kinds[j]
        if kind:
            issue[i], suggested[i] = kind, judged.suggested[j]
            found.append((paths[i], kind, float(severity[j]), judged.reasons[j]))
    of = {path: i for i, path in enumerate(paths)}
    weight = {kind: number for number, kind in enumerate(KINDS)}
    for path, kind, _, _ in sorted(rows, key=lambda row: weight[row[1]]):
        if path in of and issue[of[path]] is None:
            issue[of[path]] = kind
    schema = {"issue": pl.String, "suggested": pl.String, "severity": pl.Float32, "rank": pl.Int32}
    return pl.DataFrame([issue, suggested, whole, rank], schema=schema), found


def _report(
    params: AuditParams,
    items: Items,
    judged: Judged,
    estimate: Estimate,
    severity: np.ndarray,
    calibrated: int,
    findings: Findings,
    findings_file: Path,
) -> AuditReport:
    name = "labels" if judged.many else "label"
    shown = pl.col(name).list.join(", ") if judged.many else pl.col(name)
    about = items.frame.filter(pl.col("suggested").is_not_null()).sort("rank")
    top = about.head(10).select("path", shown, "suggested", "severity").rows()
    pairs = (
        about.group_by(shown.alias("label"), "suggested")
        .len()
        .sort(["len", "label"], descending=[True, False])
    )
    splits = {}
    if "split" in items.frame.columns:
        splits = {split: about.filter(pl.col("split") == split).height for split in SPLITS}
        splits = {split: count for split, count in splits.items() if split in set(items.frame["split"])}
    return AuditReport(
        items=len(items),
        judged=len(judged.where),
        asked=judged.asked,
        estimate=estimate,
        calibrated=calibrated,
        expected=expected_yield(severity, estimate.wrong),
        kinds=findings.counts(),
        splits=splits,
        pairs=pairs.head(5).rows(),
        top=top,
        output=params.output or params.items,
        findings_file=findings_file,
    )
