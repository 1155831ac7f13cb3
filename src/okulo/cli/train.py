"""`okulo train`: train a network on a table."""

import shlex

from rich.console import Console
from rich.table import Table

from okulo.cli.command import command
from okulo.core.errors import need
from okulo.core.protocols import Progress
from okulo.train.params import ClassifyParams
from okulo.train.report import DetectReport, EmbedReport, TrainReport

Report = TrainReport | EmbedReport | DetectReport


def run(params: ClassifyParams, progress: Progress) -> Report:
    """Run the recipe that is asked for; torch is imported here and not before."""
    need("torch", extra="train", verb="okulo train")
    from okulo.train import recipes

    return recipes.run(params, progress)


def show(report: Report, console: Console) -> None:
    """Print what was trained, how well it answers, and what to do with it."""
    table = Table(show_header=False, box=None, pad_edge=False)
    if isinstance(report, EmbedReport):
        rows = _embed_rows(report)
    elif isinstance(report, DetectReport):
        rows = _detect_rows(report)
    else:
        rows = _rows(report)
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    for kind, count in report.findings.counts().items():
        console.print(f"left out: {count:,} {kind} (see report.json)", markup=False)
    run = shlex.quote(str(report.run))
    console.print(f"next: okulo export {run} -o model.okulo.onnx", markup=False, soft_wrap=True)


def _rows(report: TrainReport) -> list[tuple[str, str]]:
    network = (
        f"{report.backbone} at {report.input_size} px: {report.parameters:,} parameters, "
        f"{report.multiply_adds / 1e6:,.1f} M multiply-adds"
    )
    rows = [
        ("network", network),
        (
            "learned from",
            f"{report.train_items:,} pictures of {len(report.classes)} classes, {report.epochs} epochs",
        ),
    ]
    if report.val_accuracy is not None:
        rows.append(
            (
                "accuracy",
                f"{report.val_accuracy:.1%} on {report.val_items:,} others (epoch {report.best_epoch})",
            )
        )
    if report.logit_gap is not None and report.logit_gap_optimum is not None:
        rows.append(
            ("logit gap", f"{report.logit_gap:.1f}, label smoothing aims at {report.logit_gap_optimum:.1f}")
        )
    return [*rows, ("time", _speed(report)), ("run", str(report.run))]


def _speed(report: TrainReport | DetectReport) -> str:
    return (
        f"{report.seconds:,.0f} s in {report.precision} on {report.device}"
        + (f" × {report.processes}" if report.processes > 1 else "")
        + f": {report.images_per_second:,.0f} pictures/s, {report.step_share:.0%} of it in the step"
    )


def _detect_rows(report: DetectReport) -> list[tuple[str, str]]:
    anchors = ", ".join(f"{width:.0f}×{height:.0f}" for width, height in report.anchors)
    rows = [
        (
            "network",
            f"{report.backbone} at {report.input_size} px: {report.parameters:,} parameters, "
            f"{report.multiply_adds / 1e6:,.0f} M multiply-adds",
        ),
        ("anchors", f"{anchors} px; boxes overlap with the best by {report.anchor_overlap:.0%} on average"),
        (
            "learned from",
            f"{report.train_boxes:,} boxes of {len(report.classes)} classes on {report.train_items:,} "
            f"pictures, {report.epochs} epochs",
        ),
    ]
    if report.val_map is not None and report.val_map_50 is not None:
        rows.append(
            (
                "precision",
                f"AP {report.val_map:.3f} (overlap .5 to .95), {report.val_map_50:.3f} at .5, on "
                f"{report.val_items:,} others with {report.val_boxes:,} boxes (epoch {report.best_epoch})",
            )
        )
    if report.threshold is not None:
        rows.append(("threshold", f"{report.threshold:.2f}, the best F1 on these"))
    return [*rows, ("time", _speed(report)), ("run", str(report.run))]


def _embed_rows(report: EmbedReport) -> list[tuple[str, str]]:
    learns = {0: "pooling and neck", -1: "everything"}.get(
        report.train_last, f"pooling, neck and the last {report.train_last} blocks"
    )
    rows = [
        ("network", f"{report.backbone}, {report.pooling} pooling, {report.length} values; {learns} learnt"),
        (
            "learned from",
            f"{report.train_items:,} pictures of {report.train_labels:,} labels, {report.epochs} epochs",
        ),
        (
            "loss",
            f"{report.loss}, {report.miner}; easy triplets {report.easy_first:.0%} → {report.easy_last:.0%}",
        ),
    ]
    if report.val_map is not None and report.val_recall_1 is not None:
        said = f"mAP {report.val_map:.3f}, recall@1 {report.val_recall_1:.1%}"
        rows.append(
            ("finds", f"{said} on {report.val_items:,} pictures of other labels (epoch {report.best_epoch})")
        )
    return [*rows, ("time", f"{report.seconds:,.0f} s"), ("run", str(report.run))]


train = command(ClassifyParams, run, show)
