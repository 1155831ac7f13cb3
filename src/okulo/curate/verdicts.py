"""The verdict store: what people decided, one appended row a verdict, in SQLite or PostgreSQL.

Nothing is ever changed or removed: a later verdict on the same question has the next version, and undoing
one appends a row that says again what held before. A verdict says which version its maker saw; when somebody
else was quicker, it is refused (`Conflict`) and the other's verdict is shown, so nobody overwrites what they
never saw. A verdict that was acknowledged is on the disk.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl
import sqlalchemy as sa

from okulo.core.errors import BadInput
from okulo.curate.verdicts_schema import META, VERDICTS, connect, explain
from okulo.io.stores import WRITES, check_format, prepare

QUESTIONS = {
    "label": ("keep", "change", "remove", "skip"),
    "has": ("yes", "no", "skip"),
    "duplicate": ("keep", "drop", "distinct", "skip"),
}
"""What is asked, and the answers to it.

`label`: is the item of the class it was given; `change` names the right one in `value`. `has`: does the
class `value` hold for the item (tables with several labels). `duplicate`: is this the copy of its group to
go on with; `distinct` says that it is no copy of the others.
"""

FORMAT = "1"
SHOWN = ("number", "item", "path", "question", "answer", "value", "given", "who", "at", "version")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What somebody decided about one item.

    >>> Decision(item="ab12", path="cat/1.png", question="label", answer="change", value="dog").subject
    'label ab12'
    >>> Decision(item="ab12", path="cat/1.png", question="label", answer="maybe")
    Traceback (most recent call last):
    okulo.core.errors.BadInput: answer: expected one of keep, change, remove, skip, got 'maybe'
    """

    item: str
    """The item's `id`."""
    path: str
    question: str
    answer: str
    value: str = ""
    """The class that is meant, where the answer needs one."""
    given: str = ""
    """The label the item had when the question was asked."""
    seen: int = 0
    """Version of the verdict its maker saw; 0: there was none."""

    def __post_init__(self) -> None:
        if self.question not in QUESTIONS:
            raise BadInput("question", wanted=f"one of {', '.join(QUESTIONS)}", got=repr(self.question))
        if self.answer not in QUESTIONS[self.question]:
            wanted = f"one of {', '.join(QUESTIONS[self.question])}"
            raise BadInput("answer", wanted=wanted, got=repr(self.answer))
        if not self.value and (self.answer == "change" or self.question == "has"):
            raise BadInput("value", wanted="the class that is meant", got="none")
        if not self.item or not self.path:
            raise BadInput("item", wanted="the item's id and path", got=f"{self.item!r}, {self.path!r}")
        if self.seen < 0:
            raise BadInput("seen", wanted="a version ≥ 0", got=self.seen)

    @property
    def subject(self) -> str:
        """What versions are counted for; files of the same bytes share their label, not which one is kept."""
        if self.question == "duplicate":
            return f"duplicate {self.item} {self.path}"
        return f"has {self.item} {self.value}" if self.question == "has" else f"label {self.item}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A decision as it was stored; an answer of "" says that the question is open again (undone)."""

    number: int
    item: str
    path: str
    question: str
    answer: str
    value: str
    given: str
    who: str
    at: str
    """When, UTC, ISO 8601 with microseconds."""
    version: int


class Conflict(Exception):
    """Somebody decided the same question meanwhile; `held` is what holds now, None when the row is gone."""

    def __init__(self, subject: str, held: Verdict | None) -> None:
        who = f"{held.who} said {held.answer or 'undo'} at {held.at}" if held else "nothing holds"
        super().__init__(f"{subject}: somebody else was quicker: {who}")
        self.held = held


@contextmanager
def open_store(where: str | Path, *, create: bool = True) -> Iterator["VerdictStore"]:
    """Open a store by the path of an SQLite file or by a database URL; it is made where there is none."""
    store = VerdictStore(where, create=create)
    try:
        yield store
    finally:
        store.close()


class VerdictStore:
    """Verdicts in a database; safe to use from many threads and many processes at once."""

    def __init__(self, where: str | Path, *, create: bool = True) -> None:
        self._engine, self.name = connect(where, create=create)
        self._writing = self._engine.execution_options(**{WRITES: True})
        with explain(self.name):
            if create:
                prepare(self._writing, META, FORMAT)
            check_format(self._engine, self.name, META, FORMAT, "verdicts")

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __enter__(self) -> "VerdictStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def record(self, decisions: Sequence[Decision], *, who: str) -> list[Verdict]:
        """Store decisions, all of them or none; when this returns they are on the disk.

        Raises Conflict when one of them was made on a version that no longer holds.
        """
        if not who:
            raise BadInput("who", wanted="the name of the person who decides", got="none")
        at = _now()
        rows: list[dict[str, Any]] = [
            {
                "subject": each.subject, "item": each.item, "path": each.path, "question": each.question,
                "answer": each.answer, "value": each.value, "given": each.given, "who": who, "at": at,
                "version": each.seen + 1, "undoes": None,
            }
            for each in decisions
        ]  # fmt: skip
        return self._append(rows)

    def undo(self, *, who: str) -> Verdict | None:
        """Take back this person's last verdict that still stands; None when there is none.

        What held before holds again. Raises Conflict when somebody else has decided on top of it.
        """
        with explain(self.name), self._engine.connect() as connection:
            last = self._last(connection, who)
            if last is None:
                return None
            again = self._again(connection, last, who, _now())
        return self._append([again])[0]

    def undo_step(self, *, who: str) -> list[Verdict]:
        """Take back all that still stands of what this person's last `record` stored, all of it or none.

        Raises Conflict when somebody else has decided on top of a part of it.
        """
        columns = VERDICTS.c
        with explain(self.name), self._engine.connect() as connection:
            last = self._last(connection, who)
            if last is None:
                return []
            step = self._still(who).where(columns.at == last["at"], columns.question == last["question"])
            rows = connection.execute(step.order_by(columns.number.desc())).mappings().all()
            at = _now()
            again = [self._again(connection, row, who, at) for row in rows]
        return self._append(again)

    def _still(self, who: str) -> "sa.Select[Any]":
        """This person's verdicts that were not taken back."""
        columns = VERDICTS.c
        undone = sa.select(columns.undoes).where(columns.undoes.is_not(None))
        mine = (columns.who == who, columns.undoes.is_(None), columns.number.not_in(undone))
        return sa.select(VERDICTS).where(*mine)

    def _last(self, connection: sa.Connection, who: str) -> Mapping[Any, Any] | None:
        newest = self._still(who).order_by(VERDICTS.c.number.desc()).limit(1)
        return connection.execute(newest).mappings().one_or_none()

    def _again(
        self, connection: sa.Connection, taken: Mapping[Any, Any], who: str, at: str
    ) -> dict[str, Any]:
        """Make the row that says again what held before this verdict."""
        columns = VERDICTS.c
        asked = sa.select(VERDICTS).where(columns.subject == taken["subject"]).order_by(columns.version)
        rows = [dict(row) for row in connection.execute(asked).mappings()]
        standing: list[dict[str, Any]] = []
        for row in rows:
            if row["undoes"] is None:
                standing.append(row)
            else:
                standing.pop()
        if standing[-1]["number"] != taken["number"]:
            raise Conflict(str(taken["subject"]), _verdict(rows[-1]))
        opened = {**standing[-1], "answer": ""}
        again = {
            **(standing[-2] if len(standing) > 1 else opened),
            "who": who, "at": at, "version": rows[-1]["version"] + 1, "undoes": taken["number"],
        }  # fmt: skip
        del again["number"]
        return again

    def current(self, question: str | None = None) -> pl.DataFrame:
        """The latest verdict on every subject that is not open again, in the order they were made."""
        columns = VERDICTS.c
        newest = (
            sa.select(columns.subject, sa.func.max(columns.version).label("version"))
            .group_by(columns.subject)
            .subquery()
        )
        asked = (
            sa.select(*(columns[name] for name in SHOWN))
            .join(newest, (columns.subject == newest.c.subject) & (columns.version == newest.c.version))
            .where(columns.answer != "")
            .order_by(columns.number)
        )
        if question is not None:
            asked = asked.where(columns.question == question)
        return self._frame(asked)

    def held(self, items: Sequence[str]) -> list[Verdict]:
        """The latest verdict on every subject of these items (ids), open ones too: they carry the version."""
        columns = VERDICTS.c
        newest: dict[str, Mapping[str, Any]] = {}
        with explain(self.name), self._engine.connect() as connection:
            for start in range(0, len(items), 500):  # SQLite bounds the number of parameters
                asked = sa.select(VERDICTS).where(columns.item.in_(items[start : start + 500]))
                for row in connection.execute(asked.order_by(columns.version)).mappings():
                    newest[row["subject"]] = dict(row)
        return [_verdict(row) for row in newest.values()]

    def since(self, number: int = 0) -> list[Verdict]:
        """Every row stored after that number, oldest first, also those that say a question is open again.

        PostgreSQL may show a lower number a moment after a higher one: ask from a little before it.
        """
        asked = sa.select(*(VERDICTS.c[name] for name in SHOWN)).where(VERDICTS.c.number > number)
        with explain(self.name), self._engine.connect() as connection:
            return [_verdict(row) for row in connection.execute(asked.order_by(VERDICTS.c.number)).mappings()]

    def history(self, item: str | None = None) -> pl.DataFrame:
        """Every row ever stored (of one item), oldest first."""
        asked = sa.select(*(VERDICTS.c[name] for name in SHOWN)).order_by(VERDICTS.c.number)
        return self._frame(asked if item is None else asked.where(VERDICTS.c.item == item))

    def _append(self, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
        stored: list[Verdict] = []
        try:
            with explain(self.name), self._writing.begin() as connection:
                for row in rows:
                    # A version follows the one before it; the table's UNIQUE holds back the slower of two.
                    if row["version"] != self._next_version(connection, str(row["subject"])):
                        raise Conflict(str(row["subject"]), self._latest(str(row["subject"])))
                    done = connection.execute(sa.insert(VERDICTS).returning(VERDICTS), row).mappings().one()
                    stored.append(_verdict(dict(done)))
        except sa.exc.IntegrityError as error:
            subject = next((str(r["subject"]) for r in rows if self._is_behind(r)), str(rows[0]["subject"]))
            raise Conflict(subject, self._latest(subject)) from error
        return stored

    def _next_version(self, connection: sa.Connection, subject: str) -> int:
        asked = sa.select(sa.func.max(VERDICTS.c.version)).where(VERDICTS.c.subject == subject)
        return int(connection.execute(asked).scalar() or 0) + 1

    def _is_behind(self, row: dict[str, Any]) -> bool:
        held = self._latest(str(row["subject"]))
        return held is not None and held.version + 1 != row["version"]

    def _latest(self, subject: str) -> Verdict | None:
        asked = sa.select(VERDICTS).where(VERDICTS.c.subject == subject)
        with explain(self.name), self._engine.connect() as connection:
            row = (
                connection.execute(asked.order_by(VERDICTS.c.version.desc()).limit(1))
                .mappings()
                .one_or_none()
            )
        return None if row is None else _verdict(dict(row))

    def _frame(self, asked: sa.Executable) -> pl.DataFrame:
        whole = {"number": pl.Int64, "version": pl.Int64}
        schema = {name: whole.get(name, pl.String) for name in SHOWN}
        with explain(self.name), self._engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(asked)]
        return pl.DataFrame(rows, schema=schema, orient="row")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _verdict(row: Mapping[Any, Any]) -> Verdict:
    return Verdict(**{name: row[name] for name in SHOWN})
