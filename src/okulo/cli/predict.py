"""`okulo predict`."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.cli.command import command
from okulo.runtime.predict import PredictParams, run

if TYPE_CHECKING:
    from okulo.runtime.predict import PredictReport

SHOWN = 12


def show(report: "PredictReport", console: Console) -> None:
    """Print how many answers there are, of which class, how many "don't know", and how fast."""
    console.print(
        f"[bold]{escape(report.model)}[/bold] answered {report.answered:,} pictures "
        f"in {report.seconds:.1f} s ({report.per_second:,.0f} a second, {report.engine})"
    )
    if report.agreement is not None:
        console.print(f"{report.engine} is within {report.agreement:.1e} of ONNX Runtime on a probe")
    if report.task == "classify":
        _classes(report, console)
    if len(report.findings):
        console.print(
            f"[yellow]{len(report.findings):,} could not be read; the column `error` says why:[/yellow]"
        )
        for item, _, _, reason in report.findings.frame.head(3).rows():
            console.print(f"[yellow]  {escape(item)}: {escape(reason)}[/yellow]", soft_wrap=True)
    console.print(f"Answers: {escape(str(report.output))}", soft_wrap=True)


def _classes(report: "PredictReport", console: Console) -> None:
    if report.threshold is None:
        console.print(
            '[dim]No threshold: every answer is given. `okulo threshold` teaches it "don\'t know".[/dim]'
        )
    elif report.answered:
        console.print(
            f'[bold]{report.unsure / report.answered:.1%}[/bold] "don\'t know" '
            f"({report.unsure:,} below {report.threshold:.3f})"
        )
    table = Table(box=None, pad_edge=False, show_header=False)
    most = max(report.counts.values(), default=1)
    for name, count in list(report.counts.items())[:SHOWN]:
        bar = "█" * max(1, round(24 * count / most))
        table.add_row(escape(name), f"{count:,}", f"[cyan]{bar}[/cyan]")
    if len(report.counts) > SHOWN:
        rest = list(report.counts.values())[SHOWN:]
        table.add_row(f"[dim]{len(rest)} more classes[/dim]", f"{sum(rest):,}", "")
    console.print(table)


predict = command(PredictParams, run, show)
