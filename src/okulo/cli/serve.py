"""`okulo serve`: model files over HTTP, the page that asks them, and search pages."""

import logging
import os
from functools import partial
from pathlib import Path

from rich.console import Console

from okulo.cli.command import command
from okulo.core.errors import BadInput, need
from okulo.core.protocols import Progress

need("uvicorn", extra="serve", verb="okulo serve")

from okulo.serve import command as serving  # noqa: E402  # only where its packages are installed
from okulo.serve import logs  # noqa: E402
from okulo.serve.http import App  # noqa: E402
from okulo.serve.params import ServeParams, ServeReport  # noqa: E402
from okulo.serve.service import Service  # noqa: E402
from okulo.web.beside import beside  # noqa: E402

log = logging.getLogger("okulo.serve")


def run(params: ServeParams, progress: Progress) -> ServeReport:
    """Serve, with logs set up and the page in front."""
    logs.set_up()
    return serving.run(params, progress, partial(with_pages, params))


def with_pages(params: ServeParams, app: App, service: Service, key: str) -> App:
    """Put the page beside the server, and search pages if any are asked for."""
    searches: dict[str, App] = {}
    if params.search:
        from okulo.web.search.mount import demand_key, mounted

        demand_key(params.host, key)
        searches = search_pages(params)
        app = mounted(app, searches, params.host, key)

    def make() -> App:
        from okulo.web.pages import make_pages

        made: App = make_pages(
            lambda: {n: (s.path, s.info) for n, s in service.newest.items()}, key, tuple(searches)
        )
        return made

    return beside(app, make)


def search_pages(params: ServeParams) -> dict[str, App]:
    """Open each index with its model; a wrong one is said now, not at the first search."""
    from okulo.cli.see import see
    from okulo.web.search.app import make_app
    from okulo.web.search.command import open_site
    from okulo.web.search.mount import PREFIX, named

    folders: dict[str, str] = {}
    for said in params.search:
        name, folder = named(said)
        if name in folders:
            raise BadInput("search", f"has two indexes named {name}", hint="NAME=INDEX gives another name")
        folders[name] = folder
    sites = {name: open_site(Path(folder), see) for name, folder in folders.items()}
    for name, site in sites.items():
        log.info("%s (%d pictures) is searched at %s%s/", site.folder, len(site.index), PREFIX, name)
    workers, longest = os.cpu_count() or 2, params.max_body_mb << 20
    return {name: make_app(site, workers=workers, max_body=longest) for name, site in sites.items()}


def show(report: ServeReport, console: Console) -> None:
    """Say how it ended."""
    requests = "" if report.requests is None else f"{report.requests:,} requests in "
    console.print(f"stopped after {requests}{report.seconds:,.0f} s")


serve = command(ServeParams, run, show)
