"""`okulo review`: what may be said on the command line, and the page made of it."""

import os
import secrets
import socket
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.curate.verdicts import open_store
from okulo.web.guard import Guard, is_loopback
from okulo.web.review.app import make_app
from okulo.web.review.held import Held, named
from okulo.web.review.site import Site
from okulo.web.review.table import ReviewTable
from okulo.web.review.vectors import Vectors
from okulo.web.server import bind, serve
from okulo.web.thumbnails import Thumbnails

MB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ReviewParams(Params):
    """Decide on labels and duplicates by keyboard in a browser, and look around in the data."""

    items: Path = param(help="the table", positional=True)
    verdicts: str = param(
        "", help="where verdicts go: an SQLite file (default: beside the table) or postgresql://…"
    )
    who: str = param("", help="your name; without it the page asks")
    root: Path | None = param(None, help="pictures may come from this folder only (default: the table's)")
    host: str = param("127.0.0.1", help="address to listen on; any but loopback asks for a token")
    port: int = param(8100, help="port; 0 takes a free one", low=0, high=65535)
    token: bool = param(False, help="ask for a token on loopback too")
    open: bool = param(False, help="open the page in the browser")
    cache: Path | None = param(None, help="folder for small copies of the pictures (default: ~/.cache/okulo)")
    cache_mb: int = param(2000, help="small copies take at most so many megabytes", low=1)


@dataclass(frozen=True)
class ReviewReport:
    """What came of it."""

    verdicts: str
    """Where they are."""
    labels: int
    """Verdicts on labels that hold."""
    duplicates: int
    """Verdicts on duplicates that hold."""
    seconds: float


@dataclass(frozen=True)
class Up:
    """The page can be opened."""

    url: str
    rows: int
    seconds: float


def run(
    params: ReviewParams, progress: Progress = silent, *, up: Callable[[Up], None] = lambda said: None
) -> ReviewReport:
    """Serve the page until SIGINT or SIGTERM; `up` is called when it can be opened."""
    del progress
    started = time.monotonic()
    table = ReviewTable(params.items)
    who = named("who", params.who)
    with bind(params.host, params.port) as listener:
        thumbnails = Thumbnails(
            params.root or table.root, cache_folder(params), max_bytes=params.cache_mb * MB
        )
        with open_store(params.verdicts or verdicts_beside(params.items)) as store:
            held = Held(table, store)
            site = Site(table, held, thumbnails, find_vectors(params.items), who)
            guard = make_guard(params, site, listener)

            def say() -> None:
                said = Up(address(params.host, guard), len(table), time.monotonic() - started)
                up(said)
                if params.open:
                    webbrowser.open(said.url)

            serve(guard, listener, up=say)
            counts = store.current()["question"].value_counts().rows()
    duplicates = dict(counts).get("duplicate", 0)
    total = sum(count for _, count in counts)
    return ReviewReport(store.name, total - duplicates, duplicates, time.monotonic() - started)


def make_guard(params: ReviewParams, site: Site, listener: socket.socket) -> Guard:
    """The page behind its guard; a token is made where one is needed."""
    bound = listener.getsockname()
    loopback = is_loopback(bound[0])
    token = secrets.token_urlsafe(24) if params.token or not loopback else ""
    return Guard(make_app(site, decoders=os.cpu_count() or 2), loopback, token, bound[1])


def address(host: str, guard: Guard) -> str:
    """What to open, the token in it."""
    name = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"http://{name}:{guard.port}/" + (f"?token={guard.token}" if guard.token else "")


def verdicts_beside(items: Path) -> Path:
    """Where verdicts on a table go when nothing else is said.

    >>> verdicts_beside(Path("data/items.parquet")).name
    'items.verdicts.db'
    """
    return items.with_name(f"{items.stem}.verdicts.db")


def cache_folder(params: ReviewParams) -> Path:
    """Where small copies go."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return params.cache or home / "okulo" / "thumbnails"


def find_vectors(items: Path) -> Vectors | None:
    """The table's embeddings, not yet read; None where it has none."""
    schema = pl.read_parquet_schema(items)
    return Vectors(items) if isinstance(schema.get("embedding"), pl.Array | pl.List) else None
