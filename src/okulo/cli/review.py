"""`okulo review`: a page to decide on labels and duplicates."""

import sys

from rich.console import Console

from okulo.cli.command import command
from okulo.core.errors import need
from okulo.core.protocols import Progress

need("uvicorn", extra="serve", verb="okulo review")

from okulo.web.review import command as reviewing  # noqa: E402  # only where its packages are installed


def run(params: reviewing.ReviewParams, progress: Progress) -> reviewing.ReviewReport:
    """Serve the page, and say where it is."""
    return reviewing.run(params, progress, up=say)


def say(up: reviewing.Up) -> None:
    """Print the address; it holds the token."""
    console = Console(highlight=False, stderr=True)
    console.print(f"{up.rows:,} items, ready after {up.seconds:.1f} s. Ctrl+C ends it; nothing is lost.")
    sys.stderr.write(f"{up.url}\n")


def show(report: reviewing.ReviewReport, console: Console) -> None:
    """Say what there is now, and what to do with it."""
    console.print(
        f"{report.labels:,} verdicts on labels, {report.duplicates:,} on duplicates in {report.verdicts}"
    )
    console.print("`okulo apply` writes them into a table")


review = command(reviewing.ReviewParams, run, show)
