"""`okulo detect`."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.cli.command import command
from okulo.runtime.detect import DetectParams, run

if TYPE_CHECKING:
    from okulo.runtime.detect import DetectReport

SHOWN = 12


def show(report: "DetectReport", console: Console) -> None:
    """Print what was found, of which class, and how fast."""
    console.print(
        f"[bold]{escape(report.model)}[/bold] found {report.found:,} objects in {report.pictures:,} pictures "
        f"in {report.seconds:.1f} s ({report.per_second:,.1f} a second, {report.engine}, "
        f"{report.outside:.0%} of the time outside the network)"
    )
    console.print(f"[dim]score above {report.threshold:g}, overlap up to {report.overlap:g}[/dim]")
    table = Table(box=None, pad_edge=False, show_header=False)
    most = max(report.counts.values(), default=1)
    for name, count in list(report.counts.items())[:SHOWN]:
        table.add_row(escape(name), f"{count:,}", f"[cyan]{'█' * max(1, round(24 * count / most))}[/cyan]")
    if len(report.counts) > SHOWN:
        rest = list(report.counts.values())[SHOWN:]
        table.add_row(f"[dim]{len(rest)} more classes[/dim]", f"{sum(rest):,}", "")
    console.print(table)
    for item, _, _, reason in report.findings.frame.head(3).rows():
        console.print(f"[yellow]could not be read: {escape(item)}: {escape(reason)}[/yellow]", soft_wrap=True)
    if len(report.findings) > 3:
        console.print(f"[yellow]… and {len(report.findings) - 3:,} more[/yellow]")
    console.print(f"Objects: {escape(str(report.output))}", soft_wrap=True)
    if report.drawn is not None:
        console.print(f"Drawn: {escape(str(report.drawn))}", soft_wrap=True)


detect = command(DetectParams, run, show)
