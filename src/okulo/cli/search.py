"""`okulo search`: the pictures of an index most like some."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.cli.command import command
from okulo.cli.see import see
from okulo.core.protocols import Progress
from okulo.search import find

BESIDE = ("label", "split")
SHOWN = 20


def run(params: find.SearchParams, progress: Progress) -> find.SearchReport:
    """Look the pictures up."""
    return find.run(params, see, progress)


def show(report: find.SearchReport, console: Console) -> None:
    """Print the first answers for each picture."""
    beside = [name for name in BESIDE if name in report.found.columns]
    for (query,), part in report.found.group_by("query", maintain_order=True):
        console.print(f"[bold]{escape(str(query))}[/bold]", soft_wrap=True)
        table = Table("", "score", "path", *beside, box=None, pad_edge=False)
        for said in part.head(SHOWN).iter_rows(named=True):
            more = [escape(str(said[name] or "")) for name in beside]
            table.add_row(str(said["place"]), f"{said['score']:.3f}", escape(said["path"]), *more)
        console.print(table)
    for note in report.notes:
        console.print(note)
    if report.gone:
        console.print(
            f"[yellow]{report.gone:,} of these files are not there any more: okulo index update[/yellow]"
        )
    console.print(f"{len(report.found):,} found in {1e3 * report.seconds:,.0f} ms")


search = command(find.SearchParams, run, show)
