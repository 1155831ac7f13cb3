"""`okulo search-app`: what may be said on the command line, and the page made of it."""

import os
import secrets
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.search.build import See, seeing_for
from okulo.search.feedback import read_pairs
from okulo.search.index import open_index
from okulo.web.guard import Guard, is_loopback
from okulo.web.review.command import MB, Up, address
from okulo.web.search.app import make_app
from okulo.web.search.site import Site
from okulo.web.server import bind, serve
from okulo.web.thumbnails import Thumbnails


@dataclass(frozen=True, kw_only=True)
class SearchAppParams(Params):
    """Look for pictures like one in a browser: drop, paste or photograph it, cut, filter, say what fits."""

    index: Path = param(help="the index", positional=True)
    model: str = param("", help="the index's model, where it was moved")
    who: str = param("", help="your name, kept with what you say of answers")
    root: Path | None = param(None, help="pictures may come from this folder only (default: the index's)")
    host: str = param("127.0.0.1", help="address to listen on; any but loopback asks for a token")
    port: int = param(8200, help="port; 0 takes a free one", low=0, high=65535)
    token: bool = param(False, help="ask for a token on loopback too")
    open: bool = param(False, help="open the page in the browser")
    cache: Path | None = param(None, help="folder for small copies of the pictures (default: ~/.cache/okulo)")
    cache_mb: int = param(2000, help="small copies take at most so many megabytes", low=1)


@dataclass(frozen=True)
class SearchAppReport:
    """What came of it."""

    pairs: int
    """Answers that people called relevant or not, and that stands."""
    seconds: float


def open_site(
    folder: Path,
    see: See,
    *,
    model: str = "",
    root: Path | None = None,
    cache: Path | None = None,
    cache_mb: int = 2000,
    who: str = "",
) -> Site:
    """Open an index with its model; small copies of its pictures are kept in `cache`."""
    index = open_index(folder)
    seeing = seeing_for(index, see, model)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = cache or home / "okulo" / "thumbnails"
    try:
        whole = index.manifest.crop == "none"
        main = replace(see(seeing.file, "attention"), name=seeing.name) if whole else None
    except BadInput:  # its network has no maps to look at, or it is none
        main = None
    return Site(folder, seeing, Thumbnails(root or index.root, kept, max_bytes=cache_mb * MB), who, main)


def run(
    params: SearchAppParams,
    see: See,
    progress: Progress = silent,
    *,
    up: Callable[[Up], None] = lambda said: None,
) -> SearchAppReport:
    """Serve the page until SIGINT or SIGTERM; `up` is called when it can be opened."""
    del progress
    started = time.monotonic()
    site = open_site(
        params.index, see, model=params.model, root=params.root,
        cache=params.cache, cache_mb=params.cache_mb, who=params.who,
    )  # fmt: skip
    with bind(params.host, params.port) as listener:
        bound = listener.getsockname()
        loopback = is_loopback(bound[0])
        token = secrets.token_urlsafe(24) if params.token or not loopback else ""
        guard = Guard(make_app(site, workers=os.cpu_count() or 2), loopback, token, bound[1])

        def say() -> None:
            said = Up(address(params.host, guard), len(site.index), time.monotonic() - started)
            up(said)
            if params.open:
                webbrowser.open(said.url)

        serve(guard, listener, up=say)
    return SearchAppReport(len(read_pairs(params.index)), time.monotonic() - started)
