"""`okulo work`: work off jobs in another process, or on another machine."""

from rich.console import Console

from okulo.cli.command import command
from okulo.core.errors import need
from okulo.core.protocols import Progress

need("uvicorn", extra="serve", verb="okulo work")

from okulo.serve import logs  # noqa: E402  # only where its packages are installed
from okulo.serve.jobs import command as working  # noqa: E402


def run(params: working.WorkParams, progress: Progress) -> working.WorkReport:
    """Work, with logs set up."""
    logs.set_up()
    return working.run(params, progress)


def show(report: working.WorkReport, console: Console) -> None:
    """Say what was done."""
    console.print(f"{report.answered:,} pictures answered in {report.seconds:,.0f} s, {report.left:,} left")


work = command(working.WorkParams, run, show)
