"""`okulo backbone`."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from okulo.cli.command import command
from okulo.core.errors import need
from okulo.core.protocols import Progress
from okulo.export.backbone_params import BackboneParams

if TYPE_CHECKING:
    from okulo.export.backbone import BackboneReport


def make(params: BackboneParams, progress: Progress) -> "BackboneReport":
    """Make the file, once torch is known to be there."""
    need("torch", extra="train", verb="okulo backbone")
    from okulo.export.backbone import run

    return run(params, progress)


def show(report: "BackboneReport", console: Console) -> None:
    """Print what was written, from which weights, and what to do with it."""
    console.print(
        f"[bold]{escape(str(report.path))}[/bold]  {report.bytes / 1e6:.1f} MB, "
        f"embeddings of {report.length} values",
        soft_wrap=True,
    )
    licence = report.licence or "licence not known: --licence names it"
    console.print(f"weights: {escape(report.weights)}, {escape(licence)}")
    console.print(f"same as PyTorch on {escape(report.parity.on)}: off by at most {report.parity.worst:.1e}")
    console.print(f"next: okulo embed items.parquet --model {escape(str(report.path))}", soft_wrap=True)


backbone = command(BackboneParams, make, show)
