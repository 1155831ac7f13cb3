"""`okulo scan`: make a table of a folder of pictures, and say what is wrong with them."""

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from okulo.cli.command import command
from okulo.curate.audit import KINDS
from okulo.curate.balance import PARTS
from okulo.curate.scan import ScanParams, ScanReport, run

MOST_CLASSES = 12
"""More classes than this are shown by the largest and the smallest."""


def show(report: ScanReport, console: Console) -> None:
    """Print what is there, how the classes are balanced, what is wrong, and where it was written."""
    small, median, large = report.sides
    console.print(
        Text(f"{report.items:,} pictures, {report.bytes / 1e6:,.1f} MB, read as {report.form}", style="bold")
    )
    console.print(f"longer side {small} to {large} pixels, median {median}")
    if report.skipped:
        files = "file" if report.skipped == 1 else "files"
        console.print(f"{report.skipped:,} other {files} passed over")
    if report.changes:
        changes = report.changes
        console.print(
            f"since the last scan: {changes.new:,} new, {changes.changed:,} changed, "
            f"{changes.gone:,} gone, {changes.unchanged:,} as before"
        )
    if len(report.balance.counts):
        console.print(_classes(report))
    console.print(Text(f"classes: {report.balance.words}"))
    if report.findings.frame.height:
        console.print(_findings(report))
    else:
        console.print("nothing wrong was found")
    for path in (report.output, report.findings_file, report.plot):
        if path is not None:
            console.print(Text(f"wrote {path}"), soft_wrap=True)


def _classes(report: ScanReport) -> Table:
    counts = report.balance.counts
    used = [part for part in PARTS if counts[part].sum()] if report.splits != {"none": report.items} else []
    table = Table("class", *(_column(name) for name in ("items", *used)), box=None, pad_edge=False)
    rows = counts.select("label", "items", *used).rows()
    half = MOST_CLASSES // 2
    cut = len(rows) > MOST_CLASSES
    for row in rows[:half] + rows[-half:] if cut else rows:
        if cut and row is rows[-half]:
            table.add_row(f"… {len(rows) - 2 * half:,} more")
        table.add_row(Text(str(row[0])), *(f"{count:,}" for count in row[1:]))
    table.add_section()
    table.add_row("all", *(f"{counts[name].sum():,}" for name in ("items", *used)), style="bold")
    return table


def _column(name: str) -> Column:
    return Column("no split" if name == "none" else name, justify="right")


def _findings(report: ScanReport) -> Table:
    table = Table(
        "finding",
        Column("count", justify="right"),
        Column("what it means", no_wrap=True),
        Column("for example", no_wrap=True, overflow="ellipsis"),
        box=None,
        pad_edge=False,
    )
    order = {kind: number for number, kind in enumerate(KINDS)}
    for kind, count in sorted(report.kinds.items(), key=lambda each: order.get(each[0], len(order))):
        example = report.findings.frame.filter(kind=kind)["item"][0]
        table.add_row(kind, f"{count:,}", KINDS[kind], Text(_short(example)))
    return table


def _short(name: str) -> str:
    printable = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
    return printable if len(printable) <= 44 else f"…{printable[-43:]}"


scan = command(ScanParams, run, show)
