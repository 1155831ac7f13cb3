"""`okulo index`: make an index, and keep it."""

import cyclopts
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.cli.command import command
from okulo.cli.see import see
from okulo.core.protocols import Progress
from okulo.search import build, feedback, tune
from okulo.search.settings import said_bytes

SHOWN = 3


def make(params: build.IndexParams, progress: Progress) -> build.IndexReport:
    """Make the index."""
    return build.run(params, see, progress)


def update(params: build.UpdateParams, progress: Progress) -> build.IndexReport:
    """Bring it to what the table holds."""
    return build.run_update(params, see, progress)


def show(report: build.IndexReport, console: Console) -> None:
    """Print what the index is now, why, and what changed."""
    console.print(
        f"[bold]{escape(str(report.output))}[/bold]: {report.items:,} pictures, {report.length} values each, "
        f"{report.kind}, {said_bytes(report.memory_bytes)} to search",
        soft_wrap=True,
    )
    if report.reason:
        console.print(f"why {report.kind}: {escape(report.reason)}", soft_wrap=True)
    changes = [
        f"{count:,} {word}"
        for count, word in (
            (report.added, "added"),
            (report.updated, "changed"),
            (report.removed, "removed"),
        )
        if count
    ]
    done = ", ".join(changes) or "nothing to change"
    console.print(f"{done}, {report.embedded:,} embedded, in {report.seconds:.1f} s")
    if len(report.findings):
        console.print(f"[yellow]{len(report.findings):,} could not be taken:[/yellow]")
        for item, _, _, reason in report.findings.frame.head(SHOWN).rows():
            console.print(f"[yellow]  {escape(item)}: {escape(reason)}[/yellow]", soft_wrap=True)


def show_tune(report: tune.TuneReport, console: Console) -> None:
    """Print every setting, and where it was drawn."""
    table = Table("kind", "setting", f"recall@{report.k}", "queries/s", "bytes a row", "build, s", box=None)
    for p in report.points:
        table.add_row(
            p.kind,
            p.setting,
            f"{p.recall:.3f}",
            f"{p.queries_per_s:,.0f}",
            f"{p.bytes_a_row:,.0f}",
            f"{p.build_s:.1f}",
        )
    console.print(table)
    console.print(f"{report.rows:,} vectors; drawn in {escape(str(report.plot))}", soft_wrap=True)


def show_pairs(report: feedback.PairsReport, console: Console) -> None:
    """Say what there is to learn from."""
    console.print(
        f"{report.relevant:,} pairs called relevant, {report.not_relevant:,} not: "
        f"{report.pictures:,} pictures under {report.labels:,} labels in {escape(str(report.output))}",
        soft_wrap=True,
    )
    console.print("next: okulo train --recipe embed")


index = cyclopts.App(name="index")
index.default(command(build.IndexParams, make, show))
index.command(command(build.UpdateParams, update, show), name="update")
index.command(command(build.RemoveParams, build.run_remove, show), name="remove")
index.command(command(build.CompactParams, build.run_compact, show), name="compact")
index.command(command(tune.TuneParams, tune.run, show_tune), name="tune")
index.command(command(feedback.PairsParams, feedback.run_pairs, show_pairs), name="pairs")
