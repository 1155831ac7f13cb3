"""`okulo ablate` and its table."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from okulo.cli.ablate import show
from okulo.train.ablate_params import AblateReport, Row


def row(name: str, mean: float, gain: float | None, half: float | None) -> Row:
    return Row(
        name=name, accuracies=(mean,), mean=mean, std=0.01, gain=gain, gain_half_width=half, seconds=1.5
    )


def test_the_table_colours_only_what_is_sure() -> None:
    rows = (
        row("baseline", 0.8, None, None),
        row("zero γ", 0.85, 0.05, 0.02),
        row("mixup", 0.84, -0.01, 0.03),
    )
    report = AblateReport(
        rows=rows, mode="stack", backbone="resnet-tiny", epochs=2, seeds=3, on="val", measured_items=100,
        train_items=900, output=Path("out"),
    )  # fmt: skip
    console = Console(file=StringIO(), width=100, force_terminal=True, color_system="standard")
    show(report, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    sure, unsure = (next(line for line in lines if name in line) for name in ("+ zero γ", "+ mixup"))
    assert "\x1b[32m" in sure and "+5.00 ± 2.00" in sure
    assert "\x1b[3" not in unsure and "-1.00 ± 3.00" in unsure
