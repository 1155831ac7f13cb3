"""`okulo export`."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from okulo.cli.command import command
from okulo.core.errors import need
from okulo.core.protocols import Progress
from okulo.export.params import ExportParams

if TYPE_CHECKING:
    from okulo.export.export import ExportReport
    from okulo.export.quantise import Quantised


def write(params: ExportParams, progress: Progress) -> "ExportReport":
    """Export, once torch is known to be there."""
    need("torch", extra="train", verb="okulo export")
    from okulo.export.export import run

    return run(params, progress)


def show(report: "ExportReport", console: Console) -> None:
    """Print what was written and what it was proven on."""
    what = f"{report.classes} classes" if report.classes else "embeddings"
    console.print(
        f"[bold]{escape(str(report.path))}[/bold]  {report.bytes / 1e6:.2f} MB, {what}, "
        f"{report.folded} batch norms folded"
    )
    sizes = ", ".join(dict.fromkeys(case.size for case in report.parity.cases))
    batches = " and ".join(str(each) for each in dict.fromkeys(c.batch for c in report.parity.cases) if each)
    console.print(
        f"Same as PyTorch on {escape(report.parity.on)}: off by at most "
        f"[bold]{report.parity.worst:.1e}[/bold], same best answer "
        f"(sizes: {sizes}; batches of {batches}, and one by one unsplit)"
    )
    if report.quantised:
        _quantised(report.quantised, console)
    if report.triton:
        console.print(f"Triton: {escape(', '.join(str(each) for each in report.triton))}", soft_wrap=True)


def _quantised(quantised: "Quantised", console: Console) -> None:
    where = "of the table" if quantised.split == "all" else f"of the {quantised.split} split"
    console.print(
        f"int8: {quantised.bytes_before / 1e6:.2f} → {quantised.bytes_after / 1e6:.2f} MB; "
        f"{quantised.agreement:.1%} of the answers on {quantised.checked_on:,} pictures {where} are the same"
    )
    if quantised.accuracy_before is not None and quantised.accuracy_after is not None:
        console.print(
            f"accuracy there {quantised.accuracy_before:.2%} → [bold]{quantised.accuracy_after:.2%}[/bold]"
        )


export = command(ExportParams, write, show)
