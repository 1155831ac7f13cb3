"""Databases, SQLite or PostgreSQL by one code: opened so that a row that was acknowledged is on the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from okulo.core.errors import BadInput, need

WRITES = "okulo_writes"
"""Execution option of connections that will write."""

BUSY_S = 30.0
"""How long a writer waits for another one."""

PREPARING = 7340731
"""PostgreSQL's advisory lock under which tables are made."""

COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Type of a key that counts up: SQLite counts only INTEGER ones; elsewhere 2³¹ rows would be too few."""


def connect(where: str | Path, *, create: bool, what: str, hint: str = "") -> tuple[sa.Engine, str]:
    """Make an engine for an SQLite file or a URL, and the name to call it by (without a password).

    Args:
        where: path of a file, or a URL.
        create: make the file's folder; without it the file must be there.
        what: what the store holds, for errors ("verdicts").
        hint: what to do where there is no such file.
    """
    text = str(where)
    if "://" not in text:
        path = Path(text)
        if not create and not path.is_file():
            raise BadInput(text, "does not exist", hint=hint)
        if create:
            _make_folder(path)
        return _sqlite(sa.URL.create("sqlite", database=text)), text
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError as error:
        raise BadInput(what, wanted="a file or a database URL", got=repr(text)) from error
    if url.get_backend_name() == "sqlite":
        return _sqlite(url), url.render_as_string()
    if url.get_backend_name() != "postgresql":
        raise BadInput(what, wanted="SQLite or PostgreSQL", got=url.get_backend_name())
    need("psycopg", extra="postgres", verb="a PostgreSQL store")
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    sa.event.listen(engine, "connect", _durable_postgres)
    return engine, url.render_as_string(hide_password=True)


def sqlite_file(where: str | Path) -> Path | None:
    """Say which file `connect` would open; None for a server.

    >>> sqlite_file("jobs.db"), sqlite_file("sqlite:///jobs.db"), sqlite_file("postgresql://host/jobs")
    (PosixPath('jobs.db'), PosixPath('jobs.db'), None)
    """
    text = str(where)
    if "://" not in text:
        return Path(text)
    return Path(text.partition(":///")[2]) if text.startswith("sqlite") else None


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
def explain(name: str, what: str) -> Iterator[None]:
    """Turn what a database says into one clear line: no such server, no such rights, no database at all."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.DatabaseError) as error:
        if isinstance(error, sa.exc.IntegrityError):
            raise
        reason = str(error.orig).strip().partition("\n")[0]
        raise BadInput(name, f"cannot be used as a {what} ({reason})") from error


def meta_table(name: str, metadata: sa.MetaData) -> sa.Table:
    """Declare the table that says which format a store has."""
    return sa.Table(
        name,
        metadata,
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def prepare(writing: sa.Engine, meta: sa.Table, version: str) -> None:
    """Make a store's tables where they are missing; two that start at once do not disturb each other."""
    with writing.begin() as connection:
        if writing.dialect.name == "postgresql":  # there, both would make the table
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({PREPARING})"))
        meta.metadata.create_all(connection)
        if connection.execute(sa.select(meta.c.value).where(meta.c.key == "format")).scalar() is None:
            connection.execute(sa.insert(meta), {"key": "format", "value": version})


def check_format(engine: sa.Engine, name: str, meta: sa.Table, version: str, what: str) -> None:
    """Raise BadInput unless this is a store of `what`, and of this format."""
    if not sa.inspect(engine).has_table(meta.name):
        raise BadInput(name, f"is a database, but holds no {what}")
    with engine.connect() as connection:
        found = connection.execute(sa.select(meta.c.value).where(meta.c.key == "format")).scalar()
    if found != version:
        raise BadInput(name, wanted=f"{what} of format {version}", got=found, hint="update okulo")
