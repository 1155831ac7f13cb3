"""The tables of the verdict store; a database is opened so that an acknowledged row is on the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from okulo.core.errors import BadInput, need

_metadata = sa.MetaData()

VERDICTS = sa.Table(
    "okulo_verdicts",
    _metadata,
    # SQLite counts only INTEGER keys up; elsewhere 2³¹ rows would be too few.
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("item", sa.Text, nullable=False, index=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("given", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False, index=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("undoes", sa.BigInteger, nullable=True, unique=True),
    sa.UniqueConstraint("subject", "version"),
    sqlite_autoincrement=True,
)

META = sa.Table(
    "okulo_verdicts_meta",
    _metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

WRITES = "okulo_writes"
"""Execution option of connections that will write."""

BUSY_S = 30.0
"""How long a writer waits for another one."""


def connect(where: str | Path, *, create: bool) -> tuple[sa.Engine, str]:
    """Make an engine for an SQLite file or a URL, and the name to call it by (without a password)."""
    text = str(where)
    if "://" not in text:
        path = Path(text)
        if not create and not path.is_file():
            raise BadInput(text, "does not exist", hint="the review page writes verdicts")
        if create:
            _make_folder(path)
        return _sqlite(sa.URL.create("sqlite", database=text)), text
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError as error:
        raise BadInput("verdicts", wanted="a file or a database URL", got=repr(text)) from error
    if url.get_backend_name() == "sqlite":
        return _sqlite(url), url.render_as_string()
    if url.get_backend_name() != "postgresql":
        raise BadInput("verdicts", wanted="SQLite or PostgreSQL", got=url.get_backend_name())
    need("psycopg", extra="postgres", verb="a PostgreSQL verdict store")
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    sa.event.listen(engine, "connect", _durable_postgres)
    return engine, url.render_as_string(hide_password=True)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(str(path), f"cannot be written ({error.strerror})") from error


def _sqlite(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_S})
    sa.event.listen(engine, "connect", _durable_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _durable_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver's guess
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later would fail with "locked" under a second writer, so
    # writers take the lock at once; readers take none and wait for nobody.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _durable_postgres(connection: Any, _: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    connection.commit()


@contextmanager
def explain(name: str) -> Iterator[None]:
    """Turn what a database says into one clear line: no such server, no such rights, no database at all."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.DatabaseError) as error:
        if isinstance(error, sa.exc.IntegrityError):
            raise
        reason = str(error.orig).strip().partition("\n")[0]
        raise BadInput(name, f"cannot be used as a verdict store ({reason})") from error
