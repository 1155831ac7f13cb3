"""`okulo pick`: which pictures to label next."""

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from okulo.cli.command import command
from okulo.curate.pick import PickReport, run
from okulo.curate.pick_params import PickParams

MOST_CLASSES = 12


def show(report: PickReport, console: Console) -> None:
    """Print how many were chosen, by whose doubt, what they look like, and the first few."""
    console.print(
        Text(f"{report.chosen:,} of {report.pool:,} items chosen, method {report.method}", style="bold")
    )
    console.print(Text(f"asked: {report.asked}"), soft_wrap=True)
    if report.blind:
        console.print(f"passed over: {report.blind:,} items without a vector")
    if report.copies:
        console.print(f"passed over: {report.copies:,} copies of labelled items")
    if report.classes:
        shown = list(report.classes.items())
        said = ", ".join(f"{name} {count:,}" for name, count in shown[:MOST_CLASSES])
        more = f", and {len(shown) - MOST_CLASSES:,} more classes" if len(shown) > MOST_CLASSES else ""
        console.print(Text(f"they look like: {said}{more}"), soft_wrap=True)
    table = Table(Column("first", no_wrap=True, overflow="ellipsis"), Column("why"), box=None, pad_edge=False)
    for path, reason in report.top:
        table.add_row(Text(path), Text(reason))
    console.print(table)
    console.print(Text(f"wrote {report.output}"), soft_wrap=True)


pick = command(PickParams, run, show)
"""The verb."""
