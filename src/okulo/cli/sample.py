"""`okulo sample`: write a small real data set to try okulo with."""

import shlex

from rich.console import Console

from okulo.cli.command import command
from okulo.io.samples import DRAWN, SampleParams, SampleReport, run


def show(report: SampleReport, console: Console) -> None:
    """Print what was written, and what to do with it."""
    console.print(report.about, markup=False)
    console.print(
        f"{report.files:,} files, {report.bytes / 1e6:.1f} MB, in {report.folder}",
        markup=False,
        soft_wrap=True,
    )
    folder = shlex.quote(str(report.folder))
    console.print(f"next: okulo scan {folder} -o {report.name}.parquet", markup=False, soft_wrap=True)
    if report.name in DRAWN:
        train = f"okulo train {report.name}.parquet --recipe detect -o run"
        console.print(f"then: {train}", markup=False, soft_wrap=True)


sample = command(SampleParams, run, show)
