"""The tables of the verdict store, and how it is opened."""

from contextlib import AbstractContextManager
from pathlib import Path

import sqlalchemy as sa

from okulo.io import stores

_metadata = sa.MetaData()

VERDICTS = sa.Table(
    "okulo_verdicts",
    _metadata,
    sa.Column("number", stores.COUNTED, primary_key=True),
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

META = stores.meta_table("okulo_verdicts_meta", _metadata)


def connect(where: str | Path, *, create: bool) -> tuple[sa.Engine, str]:
    """Make an engine for an SQLite file or a URL, and the name to call it by (without a password)."""
    return stores.connect(where, create=create, what="verdicts", hint="the review page writes verdicts")


def explain(name: str) -> AbstractContextManager[None]:
    """Turn what a database says into one clear line."""
    return stores.explain(name, "verdict store")
