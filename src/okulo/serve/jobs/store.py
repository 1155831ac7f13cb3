"""The job store: jobs and their items in SQLite or PostgreSQL, leased to workers, each result stored once.

An item is leased for some seconds; whoever works on it renews the lease. A worker that dies stops doing so,
and the item goes to another. A result is taken only from the one who holds the lease then, and changes the
item's one row: however often an item was begun, it is in the result once.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from okulo.io import stores
from okulo.serve.jobs.records import Job, Leased, NewJob, Outcome, Row, Version
from okulo.serve.jobs.schema import (
    CANCELLED,
    DONE,
    FAILED,
    FORMAT,
    ITEMS,
    JOBS,
    LEASED,
    META,
    UNFINISHED,
    WAITING,
)
from okulo.serve.refusals import Refused


class Unavailable(Refused):
    """The database cannot be reached, or was busy for too long."""

    status = 503
    reason = "store"


class NoJob(Refused):
    """There is none of this id."""

    status = 404
    reason = "unknown job"


class JobStore:
    """Jobs in a database; safe to use from many threads, processes and machines at once."""

    def __init__(self, where: str | Path, *, create: bool = True) -> None:
        hint = "`okulo serve --jobs` makes it"
        self._engine, self.name = stores.connect(where, create=create, what="jobs", hint=hint)
        self._writes = self._engine.execution_options(**{stores.WRITES: True})
        self._postgres = self._engine.dialect.name == "postgresql"
        with stores.explain(self.name, "job store"):
            if create:
                stores.prepare(self._writes, META, FORMAT)
            stores.check_format(self._engine, self.name, META, FORMAT, "jobs")

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def add(self, new: NewJob) -> Job:
        """Store a job; when this returns it is on the disk."""
        job = {
            "id": new.id, "request_key": new.request_key or None, "model": new.model, "version": new.version,
            "top": new.top, "outputs": json.dumps(new.outputs), "pack": new.pack, "pictures": len(new.items),
            "bytes": sum(each.length for each in new.items),
        }  # fmt: skip
        try:
            with self._writing() as connection:
                stored = sa.insert(JOBS).values(**job, created_s=self._now(connection)).returning(JOBS)
                made = connection.execute(stored).mappings().one()
                rows = [
                    {"job": made["number"], "number": number, "name": _storable(each.name),
                     "path": each.path, "start": each.start, "length": each.length}
                    for number, each in enumerate(new.items)
                ]  # fmt: skip
                connection.execute(sa.insert(ITEMS), rows)
                return _job(dict(made))
        except sa.exc.IntegrityError:
            found = self.asked_before(new.request_key)
            if found is None:
                raise
            return found

    def asked_before(self, request_key: str) -> Job | None:
        """The job that a request of this key made."""
        asked = sa.select(JOBS).where(JOBS.c.request_key == request_key)
        with self._reading() as connection:
            row = connection.execute(asked).mappings().one_or_none()
        return None if row is None else _job(dict(row))

    def get(self, id: str) -> Job:
        """How far this job is."""
        return _job(self._row(id))

    def outputs(self, id: str) -> tuple[str, ...]:
        """The further outputs that were asked for."""
        return tuple(json.loads(self._row(id)["outputs"]))

    def every(self, *, limit: int = 100, before: str = "") -> list[Job]:
        """The jobs, newest first; those made before that one."""
        asked = sa.select(JOBS).order_by(JOBS.c.number.desc()).limit(limit)
        if before:
            asked = asked.where(JOBS.c.number < self._row(before)["number"])
        with self._reading() as connection:
            return [_job(dict(row)) for row in connection.execute(asked).mappings()]

    def cancel(self, id: str) -> Job:
        """Begin no more of its items; what is done stays, and an ended job stays as it ended."""
        with self._writing() as connection:
            ended = {"ended_s": self._now(connection), "cancelled": True}
            still = (JOBS.c.id == id) & JOBS.c.ended_s.is_(None)
            number = connection.execute(
                sa.update(JOBS).where(still).values(**ended).returning(JOBS.c.number)
            ).scalar_one_or_none()
            if number is not None:
                over = {"state": CANCELLED, "lease": None, "error": "the job was cancelled"}
                connection.execute(sa.update(ITEMS).where(ITEMS.c.job == number, UNFINISHED).values(**over))
        return self.get(id)

    def remove(self, id: str) -> None:
        """Forget a job and its results, whatever its state."""
        number = self._row(id)["number"]
        with self._writing() as connection:
            connection.execute(sa.delete(JOBS).where(JOBS.c.number == number))
            connection.execute(sa.delete(ITEMS).where(ITEMS.c.job == number))

    def remove_old(self, keep_s: float) -> int:
        """Forget jobs that ended longer ago than this; how many there were."""
        with self._reading() as connection:
            old = sa.select(JOBS.c.id).where(JOBS.c.ended_s < self._now(connection) - keep_s)
            ids = connection.execute(old).scalars().all()
        for id in ids:
            self.remove(id)
        return len(ids)

    def rows(self, id: str, *, finished_only: bool = False, at_once: int = 500) -> Iterator[Row]:
        """The job's rows by index, a few at a time."""
        c, number, after = ITEMS.c, self._row(id)["number"], -1
        asked = sa.select(c.number, c.name, c.state, c.answer, c.error).where(c.job == number)
        if finished_only:
            asked = asked.where(c.state >= DONE)
        while True:
            some = asked.where(c.number > after).order_by(c.number).limit(at_once)
            with self._reading() as connection:
                found = connection.execute(some).all()
            for index, name, state, answer, error in found:
                yield Row(index, name, state, None if answer is None else json.loads(answer), error)
            if len(found) < at_once:
                return
            after = found[-1][0]

    def lease(self, models: Sequence[Version], count: int, lease: str, lease_s: float) -> list[Leased]:
        """Take up to `count` unfinished items of the oldest jobs for these models, for `lease_s`.

        One that was begun before is taken alone: should it be what kills workers, it dies alone.
        """
        if not models or not self.has_work(models):
            return []
        with self._writing() as connection:
            now = self._now(connection)
            c = ITEMS.c
            found = connection.execute(self._available(models, now, count)).mappings().all()
            taken = (
                [row for row in found if not row["attempts"]] if found and not found[0]["attempts"] else []
            )
            taken = taken or list(found[:1])
            change = {"state": LEASED, "lease": lease, "until_s": now + lease_s, "attempts": c.attempts + 1}
            for job in {row["job"] for row in taken}:
                numbers = [row["number"] for row in taken if row["job"] == job]
                mine = (c.job == job) & c.number.in_(numbers)
                connection.execute(sa.update(ITEMS).where(mine).values(**change))
        return [
            Leased(**{**row, "attempts": row["attempts"] + 1, "outputs": tuple(json.loads(row["outputs"]))})
            for row in taken
        ]

    def has_work(self, models: Sequence[Version]) -> bool:
        """Whether a job for these models has not ended; looks without locking anything."""
        with self._reading() as connection:
            asked = sa.select(JOBS.c.number).where(JOBS.c.ended_s.is_(None), _of(models)).limit(1)
            return connection.execute(asked).first() is not None

    def renew(self, leases: Sequence[str], lease_s: float) -> None:
        """Go on holding what these leases hold."""
        with self._writing() as connection:
            c = ITEMS.c
            held = sa.select(c.job, c.number).where(c.lease.in_(leases), UNFINISHED)
            if self._postgres:  # rows that are just being finished need no renewal, and waiting may deadlock
                held = held.with_for_update(skip_locked=True)
            mine = sa.tuple_(c.job, c.number).in_(held)
            until = self._now(connection) + lease_s
            connection.execute(sa.update(ITEMS).where(mine).values(until_s=until))

    def free(self, is_dead: Callable[[str], bool]) -> None:
        """End the leases of those who are dead, before their time."""
        c = ITEMS.c
        with self._reading() as connection:
            held = connection.execute(sa.select(c.lease).where(c.lease.is_not(None), UNFINISHED).distinct())
            dead = [each for each in held.scalars() if is_dead(each)]
        if dead:
            with self._writing() as connection:
                connection.execute(sa.update(ITEMS).where(c.lease.in_(dead), UNFINISHED).values(until_s=0.0))

    def give_back(self, lease: str) -> None:
        """Return what this lease still holds, as if it had not been begun."""
        with self._writing() as connection:
            change = {"state": WAITING, "lease": None, "attempts": ITEMS.c.attempts - 1}
            connection.execute(sa.update(ITEMS).where(ITEMS.c.lease == lease, UNFINISHED).values(**change))

    def record(self, lease: str, outcomes: Sequence[Outcome]) -> int:
        """Store results, all in one transaction; those whose lease was lost meanwhile are dropped.

        Returns how many were taken.
        """
        by_job: dict[int, list[Outcome]] = {}
        for each in outcomes:
            by_job.setdefault(each.job, []).append(each)
        taken = 0
        with self._writing() as connection:
            for job in sorted(by_job):
                # The job's row first, always: who holds it changes its items, so nobody deadlocks.
                connection.execute(sa.select(JOBS.c.number).where(JOBS.c.number == job).with_for_update())
                taken += self._record_of(connection, job, lease, by_job[job])
        return taken

    def open_packs(self) -> set[str]:
        """Packs of jobs that have not ended."""
        with self._reading() as connection:
            asked = sa.select(JOBS.c.pack).where(JOBS.c.ended_s.is_(None))
            return set(connection.execute(asked).scalars())

    def open_items(self) -> tuple[int, int]:
        """What is unfinished: items, and bytes in packs of jobs that have not ended."""
        left = sa.func.coalesce(sa.func.sum(JOBS.c.pictures - JOBS.c.done - JOBS.c.failed), 0)
        asked = sa.select(left, sa.func.coalesce(sa.func.sum(JOBS.c.bytes), 0))
        with self._reading() as connection:
            items, size = connection.execute(asked.where(JOBS.c.ended_s.is_(None))).one()
        return int(items), int(size)

    def _record_of(self, connection: sa.Connection, job: int, lease: str, outcomes: Sequence[Outcome]) -> int:
        c = ITEMS.c
        mine = sa.select(c.number).where(c.job == job, c.lease == lease, UNFINISHED)
        held = set(connection.execute(mine.with_for_update()).scalars())
        rows = [
            {"of_job": job, "of_number": each.number, "state": DONE if each.error is None else FAILED,
             "answer": each.answer, "error": None if each.error is None else _storable(each.error)}
            for each in outcomes
            if each.number in held
        ]  # fmt: skip
        if not rows:
            return 0
        one = (c.job == sa.bindparam("of_job")) & (c.number == sa.bindparam("of_number"))
        connection.execute(sa.update(ITEMS).where(one).values(lease=None), rows)
        done = sum(row["state"] == DONE for row in rows)
        counted = {"done": JOBS.c.done + done, "failed": JOBS.c.failed + len(rows) - done}
        connection.execute(sa.update(JOBS).where(JOBS.c.number == job).values(**counted))
        whole = (JOBS.c.number == job) & (JOBS.c.done + JOBS.c.failed == JOBS.c.pictures)
        over = sa.update(JOBS).where(whole, JOBS.c.ended_s.is_(None))
        connection.execute(over.values(ended_s=self._now(connection)))
        return len(rows)

    def _available(self, models: Sequence[Version], now: float, count: int) -> sa.Select[Any]:
        c = ITEMS.c
        free = (c.state == WAITING) | ((c.state == LEASED) & (c.until_s < now))
        asked = (
            sa.select(
                c.job, c.number, c.attempts, c.path, c.start, c.length,
                JOBS.c.model, JOBS.c.version, JOBS.c.top, JOBS.c.outputs, JOBS.c.pack,
            )
            .join(JOBS, JOBS.c.number == c.job)
            .where(UNFINISHED, free, _of(models))
            .order_by(c.job, c.attempts, c.number)
            .limit(count)
        )  # fmt: skip
        return asked.with_for_update(of=ITEMS, skip_locked=True) if self._postgres else asked

    def _row(self, id: str) -> Mapping[Any, Any]:
        with self._reading() as connection:
            row = connection.execute(sa.select(JOBS).where(JOBS.c.id == id)).mappings().one_or_none()
        if row is None:
            raise NoJob(f"no job {id!r}")
        return dict(row)

    def _now(self, connection: sa.Connection) -> float:
        """Seconds since 1970 by one clock for all: a server's, where machines share it."""
        if not self._postgres:
            return time.time()
        return float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._trouble(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._trouble(), self._writes.begin() as connection:
            yield connection

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
            reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            raise Unavailable(f"the job store cannot be used now ({reason})", retry_after_s=5) from error


def new_id() -> str:
    """Make an id that nobody guesses: who knows it may see the result."""
    return secrets.token_hex(16)


def _of(models: Sequence[Version]) -> sa.ColumnElement[bool]:
    return sa.or_(*((JOBS.c.model == name) & (JOBS.c.version == version) for name, version in models))


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL, and nobody stores half a surrogate pair."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()


def _job(row: Mapping[Any, Any]) -> Job:
    if row["ended_s"] is not None:
        state = "cancelled" if row["cancelled"] else "done"
    else:
        state = "running" if row["done"] or row["failed"] else "waiting"
    names = ("id", "model", "version", "done", "failed", "bytes", "created_s", "ended_s")
    return Job(state=state, items=row["pictures"], **{name: row[name] for name in names})
