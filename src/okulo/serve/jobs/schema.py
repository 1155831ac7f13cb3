"""The tables of the job store: jobs, and one row for each of their items."""

import sqlalchemy as sa

from okulo.io import stores

FORMAT = "1"
WAITING, LEASED, DONE, FAILED, CANCELLED = range(5)
"""States of an item; the first two are unfinished."""

_metadata = sa.MetaData()

JOBS = sa.Table(
    "okulo_jobs",
    _metadata,
    sa.Column("number", stores.COUNTED, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("request_key", sa.Text, nullable=True, unique=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("top", sa.Integer, nullable=False),
    sa.Column("outputs", sa.Text, nullable=False),
    sa.Column("pack", sa.Text, nullable=False),
    sa.Column("pictures", sa.Integer, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("done", sa.Integer, nullable=False, default=0),
    sa.Column("failed", sa.Integer, nullable=False, default=0),
    sa.Column("cancelled", sa.Boolean, nullable=False, default=False),
    sa.Column("created_s", sa.Double, nullable=False),
    sa.Column("ended_s", sa.Double, nullable=True, index=True),
    sqlite_autoincrement=True,
)

ITEMS = sa.Table(
    "okulo_job_items",
    _metadata,
    sa.Column("job", sa.BigInteger, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False, default=WAITING),
    sa.Column("lease", sa.Text, nullable=True),
    sa.Column("until_s", sa.Double, nullable=True),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("answer", sa.Text, nullable=True),
    sa.Column("error", sa.Text, nullable=True),
)

UNFINISHED = ITEMS.c.state < sa.literal_column("2")
"""Spelled out, not as a parameter: only so does a database see that the index below holds all of these."""

sa.Index(
    "okulo_job_items_unfinished",
    ITEMS.c.job,
    ITEMS.c.attempts,
    ITEMS.c.number,
    sqlite_where=UNFINISHED,
    postgresql_where=UNFINISHED,
)
sa.Index("okulo_job_items_lease", ITEMS.c.lease, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)

META = stores.meta_table("okulo_jobs_meta", _metadata)
