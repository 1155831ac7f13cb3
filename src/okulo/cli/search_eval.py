"""`okulo search-eval`: how well an index finds what belongs to queries."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.cli.command import command
from okulo.cli.see import see
from okulo.core.protocols import Progress
from okulo.search import evaluate

COLUMNS = ("mAP", "R-precision", "recall@1", "recall@10", "precision@10", "nDCG@10")
SHOWN = 3


def run(params: evaluate.SearchEvalParams, progress: Progress) -> evaluate.SearchEvalReport:
    """Measure."""
    from okulo.metrics.retrieval import measure

    return evaluate.run(params, see, measure, progress)


def show(report: evaluate.SearchEvalReport, console: Console) -> None:
    """Print a line for each way of ranking, with the interval of its mAP."""
    console.print(
        f"{report.queries:,} queries against {report.base:,} items ({report.distractors:,} distractors)"
    )
    table = Table("ranking", *COLUMNS, "ms a query", box=None)
    for way in report.ways:
        cells = []
        for name in COLUMNS:
            value, low, high = way.figures[name]
            cells.append(f"{value:.3f} ({low:.3f}–{high:.3f})" if name == "mAP" else f"{value:.3f}")
        table.add_row(way.name, *cells, f"{way.ms_a_query:.1f}")
    console.print(table)
    if report.without_relevant:
        console.print(
            f"{report.without_relevant:,} queries have nothing relevant in the base and do not count"
        )
    if report.unreadable:
        console.print(f"[yellow]{report.unreadable:,} queries could not be embedded[/yellow]")
    if len(report.copies):
        console.print(f"[yellow]{len(report.copies):,} queries have a copy in the base:[/yellow]")
        for item, _, _, reason in report.copies.frame.head(SHOWN).rows():
            console.print(f"[yellow]  {escape(item)}: {escape(reason)}[/yellow]", soft_wrap=True)


search_eval = command(evaluate.SearchEvalParams, run, show)
