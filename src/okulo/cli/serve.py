"""`okulo serve`: model files over HTTP."""

from rich.console import Console

from okulo.cli.command import command
from okulo.core.errors import need
from okulo.core.protocols import Progress

need("uvicorn", extra="serve", verb="okulo serve")

from okulo.serve import command as serving  # noqa: E402  # only where its packages are installed
from okulo.serve import logs  # noqa: E402


def run(params: serving.ServeParams, progress: Progress) -> serving.ServeReport:
    """Serve, with logs set up."""
    logs.set_up()
    return serving.run(params, progress)


def show(report: serving.ServeReport, console: Console) -> None:
    """Say how it ended."""
    console.print(f"stopped after {report.requests:,} requests in {report.seconds:,.0f} s")


serve = command(serving.ServeParams, run, show)
