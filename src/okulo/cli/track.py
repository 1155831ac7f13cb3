"""`okulo track`."""

from rich.console import Console
from rich.markup import escape

from okulo.apps.track.command import TrackParams, TrackReport, run
from okulo.cli.command import command


def show(report: TrackReport, console: Console) -> None:
    """Say how many were followed, and how well if that is known."""
    share = report.followed / report.rows if report.rows else 0.0
    console.print(
        f"[bold]{report.tracks:,}[/bold] tracks in {report.frames:,} frames; {share:.0%} of {report.rows:,} "
        "detections belong to one"
    )
    if report.median_s is not None:
        console.print(f"half of them are seen for {report.median_s:.1f} s or longer")
    elif not report.rows:
        console.print("[yellow]there are no detections in the table[/yellow]")
    if report.joined or report.filled:
        console.print(
            f"{report.joined:,} tracks were found to go on another; {report.filled:,} rows were filled in"
        )
    if report.scores:
        said = report.scores
        console.print(
            f"MOTA {said.mota:.3f}, IDF1 {said.idf1:.3f} ({said.missed:,} missed, "
            f"{said.invented:,} invented, {said.switches:,} switches)"
        )
    console.print(f"{report.per_second:,.0f} frames a second", style="dim")
    console.print(f"  {escape(str(report.output))}", soft_wrap=True)


track = command(TrackParams, run, show)
