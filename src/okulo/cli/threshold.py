"""`okulo threshold`."""

from dataclasses import replace

from rich.console import Console
from rich.markup import escape

from okulo.cli.command import command
from okulo.cli.evaluate import effects_table
from okulo.cli.open_model import open_model, write_threshold
from okulo.core.protocols import Progress
from okulo.evaluate.threshold import ThresholdParams, ThresholdReport, run
from okulo.evaluate.words import count


def choose(params: ThresholdParams, progress: Progress) -> ThresholdReport:
    """Choose the threshold, and write it into the model unless this is a dry run."""
    predictor, info = open_model(params.model, engine=params.engine)
    report = run(params, predictor, info, progress)
    if not params.dry_run:
        write_threshold(params.model, info, report.threshold)
    return replace(report, written=not params.dry_run)


def show(report: ThresholdReport, console: Console) -> None:
    """Print the threshold, and what changes by it."""
    console.print(f"Threshold [bold]{report.threshold.value:.4g}[/bold]: {escape(report.threshold.how)}.")
    if report.interval is not None:
        low, high = report.interval
        console.print(f"With other pictures of the same kind it might be {low:.2f} to {high:.2f} (95 %).")
    rows = [("answering all", report.answering_all), ("chosen", report.chosen)]
    if report.previous is not None:
        rows.insert(1, ("before", report.previous))
    console.print(effects_table(rows))
    if len(report.findings):
        console.print(f"[yellow]Left out: {count(len(report.findings))} that cannot be read.[/yellow]")
    for warning in report.warnings:
        console.print(f"[yellow]{warning}[/yellow]")
    done = "Written into" if report.written else "Dry run, not written into"
    console.print(f"{done} {escape(str(report.model))}", soft_wrap=True)


threshold = command(ThresholdParams, choose, show)
