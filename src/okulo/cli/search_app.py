"""`okulo search-app`: a page to look for pictures like one."""

import sys

from rich.console import Console

from okulo.cli.command import command
from okulo.cli.see import see
from okulo.core.errors import need
from okulo.core.protocols import Progress

need("uvicorn", extra="serve", verb="okulo search-app")

from okulo.web.review.command import Up  # noqa: E402  # only where its packages are installed
from okulo.web.search import command as searching  # noqa: E402


def run(params: searching.SearchAppParams, progress: Progress) -> searching.SearchAppReport:
    """Serve the page, and say where it is."""
    return searching.run(params, see, progress, up=say)


def say(up: Up) -> None:
    """Print the address; it holds the token."""
    console = Console(highlight=False, stderr=True)
    console.print(f"{up.rows:,} pictures, ready after {up.seconds:.1f} s. Ctrl+C ends it.")
    sys.stderr.write(f"{up.url}\n")


def show(report: searching.SearchAppReport, console: Console) -> None:
    """Say what was collected, and what it is good for."""
    console.print(f"{report.pairs:,} answers were called relevant or not")
    if report.pairs:
        console.print("`okulo index pairs` makes a table to train on of them")


search_app = command(searching.SearchAppParams, run, show)
