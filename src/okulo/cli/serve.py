"""`okulo serve`: model files over HTTP, and the page that asks them."""

from rich.console import Console

from okulo.cli.command import command
from okulo.core.errors import need
from okulo.core.protocols import Progress

need("uvicorn", extra="serve", verb="okulo serve")

from okulo.serve import command as serving  # noqa: E402  # only where its packages are installed
from okulo.serve import logs  # noqa: E402
from okulo.serve.http import App  # noqa: E402
from okulo.serve.params import ServeParams, ServeReport  # noqa: E402
from okulo.serve.service import Service  # noqa: E402
from okulo.web.beside import beside  # noqa: E402


def run(params: ServeParams, progress: Progress) -> ServeReport:
    """Serve, with logs set up and the page in front."""
    logs.set_up()
    return serving.run(params, progress, with_page)


def with_page(app: App, service: Service, key: str) -> App:
    """Put the page beside the server."""

    def make() -> App:
        from okulo.web.pages import make_pages

        made: App = make_pages(lambda: {n: (s.path, s.info) for n, s in service.newest.items()}, key)
        return made

    return beside(app, make)


def show(report: ServeReport, console: Console) -> None:
    """Say how it ended."""
    requests = "" if report.requests is None else f"{report.requests:,} requests in "
    console.print(f"stopped after {requests}{report.seconds:,.0f} s")


serve = command(ServeParams, run, show)
