"""`okulo evaluate`."""

from dataclasses import replace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.cli.command import command
from okulo.cli.open_model import open_model
from okulo.core.model import Threshold
from okulo.core.protocols import Progress
from okulo.evaluate.boxes import LOWEST, BoxesReport
from okulo.evaluate.boxes import run as measure_boxes
from okulo.evaluate.figures import Effect
from okulo.evaluate.measure import SHARES, EvaluateParams, run
from okulo.evaluate.outcome import EvaluateReport
from okulo.evaluate.words import count, num, pct

WORST_CLASSES = 5


def measure(params: EvaluateParams, progress: Progress) -> EvaluateReport | BoxesReport:
    """Open the model and measure it."""
    predictor, info = open_model(params.model, engine=params.engine)
    if info.task == "detect":
        predictor.info = replace(info, threshold=Threshold(value=LOWEST))  # unsure boxes count too
        return measure_boxes(params, predictor, info, progress)
    return run(params, predictor, info, progress)


def show_boxes(report: BoxesReport, console: Console) -> None:
    """Print how well boxes are found, and the worst classes."""
    where = "" if report.split == "all" else f" of the {report.split} split"
    console.print(
        f"[bold]{escape(report.name)}[/bold] on {count(report.pictures)} pictures{where}, "
        f"{count(report.boxes)} boxes: average precision [bold]{num(report.mean_precision)}[/bold] "
        f"(overlap .5 to .95), {num(report.precision_at_50)} at .5, {num(report.precision_at_75)} at .75"
    )
    if report.unknown:
        console.print(f"[yellow]Left out: {count(report.unknown)} boxes of unknown classes.[/yellow]")
    if len(report.findings):
        console.print(f"[yellow]Left out: {count(len(report.findings))} pictures cannot be read.[/yellow]")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("worst classes", "boxes", "AP", "AP at .5"):
        table.add_column(name, justify="left" if name == "worst classes" else "right")
    for each in report.classes[:WORST_CLASSES]:
        table.add_row(escape(each.label), count(each.boxes), num(each.precision), num(each.precision_at_50))
    console.print(table)
    console.print(escape(f"Report: {report.report}"), soft_wrap=True)


def show(report: EvaluateReport | BoxesReport, console: Console) -> None:
    """Print the main figures, what a threshold does, and the worst classes."""
    if isinstance(report, BoxesReport):
        show_boxes(report, console)
        return
    figures, coverage = report.figures, report.coverage
    where = "" if report.split == "all" else f" of the {report.split} split"
    console.print(
        f"[bold]{escape(report.name)}[/bold] on {count(figures.n)} pictures{where}: "
        f"[bold]{pct(figures.accuracy.value)}[/bold] right "
        f"(95 % interval {pct(figures.accuracy.low)} to {pct(figures.accuracy.high)})"
    )
    console.print(
        f"balanced {pct(figures.balanced_accuracy)} · macro F1 {pct(figures.macro_f1.value)} · "
        f"calibration error {num(figures.calibration_error)} · Brier {num(figures.brier)}"
    )
    for what, number in (
        ("cannot be read", coverage.unreadable),
        ("without a label", coverage.unlabelled),
        ("with a label that the model does not know", coverage.unknown_label),
    ):
        if number:
            console.print(f"[yellow]Left out: {count(number)} {what}.[/yellow]")
    for warning in report.warnings:
        console.print(f"[yellow]{warning}[/yellow]")
    if report.curve.has:
        console.print(_effects(report))
        console.print(_classes(report))
    console.print(escape(f"Report: {report.page}   predictions: {report.predictions}"), soft_wrap=True)


def effects_table(rows: list[tuple[str, Effect]]) -> Table:
    """What thresholds do, one row each."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "threshold", "refused", "errors removed", "wrong among answers"):
        table.add_column(name, justify="left" if not name else "right")
    for name, effect in rows:
        removed = None if effect.errors_kept is None else 1 - effect.errors_kept
        table.add_row(name, num(effect.threshold), pct(1 - effect.kept), pct(removed), pct(effect.error_rate))
    return table


def _effects(report: EvaluateReport) -> Table:
    rows = [(f"refuse {share:.0%}", effect) for share, effect in zip(SHARES, report.useful)]
    if report.suggested:
        rows.append(("best trade here", report.suggested))
    if report.at_threshold:
        rows.insert(0, ("the model's threshold", report.at_threshold))
    return effects_table(rows)


def _classes(report: EvaluateReport) -> Table:
    by_class = report.figures.per_class
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("worst classes", "pictures", "recall", "precision", "F1"):
        table.add_column(name, justify="left" if name == "worst classes" else "right")
    present = [i for i in by_class.f1.argsort() if by_class.support[i]]
    for i in present[:WORST_CLASSES]:
        table.add_row(
            escape(report.classes[i]),
            count(int(by_class.support[i])),
            pct(float(by_class.recall[i])),
            pct(float(by_class.precision[i])),
            pct(float(by_class.f1[i])),
        )
    return table


evaluate = command(EvaluateParams, measure, show)
