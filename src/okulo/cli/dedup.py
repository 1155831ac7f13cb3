"""`okulo dedup`."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.cli.command import command
from okulo.curate.dedup import DedupParams, DedupReport, run


def show(report: DedupReport, console: Console) -> None:
    """Print how many copies there are, what they spoil, and where the line was drawn."""
    console.print(
        f"[bold]{report.copies:,}[/bold] of {report.items:,} pictures are copies of one that is kept "
        f"({report.groups:,} groups, the largest of {report.largest:,})"
    )
    console.print(f"{report.same_bytes:,} by equal bytes, {report.same_pixels:,} more by equal pixels")
    console.print(
        f"{report.pairs:,} pairs near by {escape(report.vectors)} were looked at "
        f"({report.pair_ms:.1f} ms of CPU each)"
    )
    console.print(f"threshold {report.threshold:.2f} ({escape(report.how)})")
    table = Table(box=None, pad_edge=False, show_header=False)
    for count, what in (
        (report.leaking, "groups straddle splits: `okulo scan --split` anew keeps groups together"),
        (report.contradictory, "groups carry labels that disagree: `okulo audit` shows them first"),
        (report.weak_links, "weak links were not followed, and are listed"),
        (report.unreadable, "pictures could not be read"),
        (
            report.findings.counts().get("no vector", 0),
            "pictures have no vector: only exact copies were found",
        ),
    ):
        if count:
            table.add_row(f"[yellow]{count:,}[/yellow]", what)
    if table.row_count:
        console.print(table)
    console.print(f"{report.per_second:,.0f} pictures a second ({report.seconds:.1f} s)")
    for path in (report.output, report.findings_file, report.plot):
        console.print(f"  {escape(str(path))}", soft_wrap=True)


dedup = command(DedupParams, run, show)
