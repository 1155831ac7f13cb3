"""`okulo ablate`: say what each trick of the training recipe brings."""

from rich.console import Console
from rich.table import Table

from okulo.cli.command import command
from okulo.core.errors import need
from okulo.core.protocols import Progress
from okulo.train.ablate_params import AblateParams, AblateReport


def run(params: AblateParams, progress: Progress) -> AblateReport:
    """Run the ablation; torch is imported here and not before."""
    need("torch", extra="train", verb="okulo ablate")
    from okulo.train import ablate

    return ablate.run(params, progress)


def show(report: AblateReport, console: Console) -> None:
    """Print the table of gains."""
    from okulo.train.ablate import accuracy_text, gain_text

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for title in ("accuracy, %", "gain, points", "s a run"):
        table.add_column(title, justify="right")
    sign = "+ " if report.mode == "stack" else ""
    for i, row in enumerate(report.rows):
        gain, half = row.gain or 0.0, row.gain_half_width
        sure = half is not None and abs(gain) > half
        name = (sign if i else "") + row.name
        style = ("green" if gain > 0 else "red") if sure else ""
        table.add_row(name, accuracy_text(row), gain_text(row), f"{row.seconds:.1f}", style=style)
    console.print(table)
    console.print(
        f"{report.backbone}, {report.epochs} epochs, {report.seeds} seeds, "
        f"measured on {report.measured_items:,} pictures of {report.on}; in colour: surely not 0 (95 %)",
        markup=False,
    )
    console.print(f"wrote {report.output}/ablation.json and ablation.md", markup=False, soft_wrap=True)


ablate = command(AblateParams, run, show)
