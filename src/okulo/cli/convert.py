"""`okulo convert`: networks of other programs become model files."""

from typing import TYPE_CHECKING

import cyclopts
from rich.console import Console
from rich.markup import escape

from okulo.cli.command import command
from okulo.export.darknet.convert import DarknetParams, run

if TYPE_CHECKING:
    from okulo.export.darknet.convert import ConvertReport


def show(report: "ConvertReport", console: Console) -> None:
    """Say what was read and written."""
    high, wide = report.size
    console.print(
        f"[bold]{escape(str(report.path))}[/bold]: {report.bytes / 1e6:.1f} MB, {report.layers} layers, "
        f"{report.parameters:,} weights",
        soft_wrap=True,
    )
    does = "detects" if report.task == "detect" else "tells apart"
    console.print(f"{does} {report.classes} classes in pictures brought to {wide} × {high} ({report.fit})")
    if report.candidates:
        console.print(f"weighs {report.candidates:,} boxes for each picture", style="dim")
    console.print(f"weights of version {report.version}, trained on {report.seen:,} pictures", style="dim")


convert = cyclopts.App(
    name="convert",
    help="Make model files of other programs' networks.",
    help_epilogue="Each takes --quiet (no progress bars) and --json (print the report as JSON).",
)
convert.command(command(DarknetParams, run, show), name="darknet")
