"""`okulo apply`: write people's verdicts into a new table."""

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from okulo.cli.command import command
from okulo.curate.apply import ApplyParams, ApplyReport, run

MOST_MOVES = 8


def show(report: ApplyReport, console: Console) -> None:
    """Print where verdicts fell, which labels changed, what was not applied, and how to see the effect."""
    console.print(
        Text(
            f"{report.verdicts:,} verdicts, {report.written:,} of {report.items:,} items written",
            style="bold",
        )
    )
    console.print(_splits(report))
    if report.transitions:
        console.print(_moves(report))
    for count, words in (
        (report.unknown, "verdicts on items this table does not hold"),
        (report.stale, "verdicts on a label the table no longer has: not applied"),
    ):
        if count:
            console.print(f"{count:,} {words}")
    if report.new_classes:
        console.print(Text(f"new classes: {', '.join(report.new_classes)}"), soft_wrap=True)
    if report.one_sided:
        console.print(
            "only training labels changed: wrong labels in val and test still hide what this brought",
            style="yellow",
            soft_wrap=True,
        )
    console.print(Text(f"wrote {report.output}"), soft_wrap=True)
    console.print("to see the effect (put your model for MODEL):")
    for line in (report.before, *report.after):
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _splits(report: ApplyReport) -> Table:
    names = ("items", "reviewed", "changed", "left out")
    table = Table("split", *(Column(name, justify="right") for name in names), box=None, pad_edge=False)
    for split, counts in report.splits.items():
        table.add_row(split, *(f"{counts[name]:,}" for name in names))
    return table


def _moves(report: ApplyReport) -> Table:
    table = Table("label before", "after", Column("items", justify="right"), box=None, pad_edge=False)
    for before, after, count in report.transitions[:MOST_MOVES]:
        table.add_row(Text(before), Text(after), f"{count:,}")
    if len(report.transitions) > MOST_MOVES:
        rest = report.transitions[MOST_MOVES:]
        table.add_row(f"… {len(rest):,} more pairs", "", f"{sum(count for *_, count in rest):,}")
    return table


apply = command(ApplyParams, run, show)
"""The verb."""
