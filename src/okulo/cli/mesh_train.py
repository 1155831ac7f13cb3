"""`okulo mesh train`."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from okulo.cli.command import command
from okulo.core.errors import need

need("torch", extra="train", verb="okulo mesh train")

from okulo.core.protocols import Progress  # noqa: E402  # where torch is
from okulo.export.arrays import write_array_network  # noqa: E402
from okulo.train.mesh.train import MeshTrainParams, MeshTrainReport, run  # noqa: E402


def fit(params: MeshTrainParams, progress: Progress) -> MeshTrainReport:
    """Train a network and write it as a proven model file."""
    return run(params, write_array_network, progress)


def show(report: MeshTrainReport, console: Console) -> None:
    """Print how the network does on shapes it never saw, and where it is."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("mean error of normals", "noisy", "best filter", "which", "learned"):
        table.add_column(head, justify="left" if head in ("mean error of normals", "which") else "right")
    for each in report.judged:
        better = "bold green" if each.learned <= each.best_filter else "yellow"
        table.add_row(
            each.name,
            f"{each.noisy:.2f}°",
            f"{each.best_filter:.2f}°",
            each.which,
            f"[{better}]{each.learned:.2f}°[/{better}]",
        )
    console.print(table)
    times = ", ".join(f"{name} {value:.0f} s" for name, value in report.seconds.items())
    console.print(
        f"{report.method}: {report.parameters:,} parameters from {report.pairs} pairs ({times}); "
        f"ONNX Runtime within {report.parity:.0e} of PyTorch",
        style="dim",
    )
    console.print(f"{escape(str(report.output))}: {report.bytes / 1000:.0f} kB", soft_wrap=True)
    console.print(
        f"next: okulo mesh denoise scan.ply -o clean.ply --method learned "
        f"--model {escape(str(report.output))}",
        soft_wrap=True,
    )


train = command(MeshTrainParams, fit, show)
