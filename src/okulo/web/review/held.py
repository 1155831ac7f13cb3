"""What holds now: the verdict store's newest rows, kept in memory beside the table."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from okulo.core.errors import BadInput
from okulo.curate.verdicts import Decision, Verdict, VerdictStore
from okulo.web.review.table import ReviewTable

OPEN, SKIPPED, DECIDED = 0, 1, 2
STATES = ("open", "skipped", "decided")
BEHIND = 200
"""So many numbers before the newest are read again: PostgreSQL may show them late."""
LONGEST = 200
"""Characters of a class or a name."""


class Held:
    """Records decisions on a table's items and knows what holds; safe to use from many threads."""

    def __init__(self, table: ReviewTable, store: VerdictStore) -> None:
        self.table, self.store = table, store
        self.newest = 0
        self._held: dict[str, dict[str, Verdict]] = {}  # item → subject → its newest verdict
        self._labels = np.zeros(len(table), np.uint8)
        self._duplicates = np.zeros(len(table), np.uint8)
        self._lock = threading.Lock()
        self.refresh()

    def refresh(self) -> None:
        """Take in what others stored, this process or another."""
        self._take(self.store.since(max(0, self.newest - BEHIND)))

    def changes(self, since: int) -> list[Verdict]:
        """Verdicts that were stored after this number, oldest first."""
        told = self.store.since(max(0, min(since, self.newest - BEHIND)))
        self._take(told)
        return [each for each in told if each.number > since]

    def of(self, row: int) -> list[Verdict]:
        """The newest verdict on each question asked of this row, open ones (undone) too."""
        item, path = self.table.frame["id"][row], self.table.frame["path"][row]
        held = self._held.get(item, {})
        return [each for each in held.values() if each.question != "duplicate" or each.path == path]

    def labels(self) -> UInt8[np.ndarray, " n"]:
        """State of each row's label: open, skipped or decided."""
        return self._labels

    def duplicates(self) -> UInt8[np.ndarray, " n"]:
        """State of each row among its duplicates."""
        return self._duplicates

    def decide(self, decisions: Sequence[dict[str, Any]], who: str) -> list[Verdict]:
        """Store decisions, all or none; each names its row and the item's id that the page believed there.

        Raises Conflict when somebody else was quicker.
        """
        if not decisions:
            raise BadInput("decisions", wanted="at least one", got="none")
        stored = self.store.record([self._decision(each) for each in decisions], who=named("who", who))
        self._take(stored)
        return stored

    def undo(self, who: str) -> list[Verdict]:
        """Take back this person's last step: one verdict, or all that one key press said of a group."""
        undone = self.store.undo_step(who=named("who", who))
        self._take(undone)
        return undone

    def _decision(self, said: dict[str, Any]) -> Decision:
        row = said.get("row")
        if not isinstance(row, int) or not 0 <= row < len(self.table):
            raise BadInput("row", wanted=f"a number from 0 to {len(self.table) - 1}", got=repr(row))
        item, path = self.table.frame["id"][row], self.table.frame["path"][row]
        if said.get("item") != item:
            raise BadInput(f"row {row}", "is another item now", hint="the table changed; reload the page")
        value, seen = said.get("value", ""), said.get("seen", 0)
        if not isinstance(seen, int):
            raise BadInput("seen", wanted="a number", got=repr(seen))
        return Decision(
            item=item,
            path=path,
            question=str(said.get("question", "label")),
            answer=str(said.get("answer", "")),
            value=named("value", value) if value else "",
            given=self._given(row),
            seen=seen,
        )

    def _given(self, row: int) -> str:
        frame = self.table.frame
        if self.table.several:
            return ", ".join(frame["labels"][row].to_list() if frame["labels"][row] is not None else [])
        return (frame["label"][row] or "") if "label" in frame.columns else ""

    def _take(self, verdicts: Sequence[Verdict]) -> None:
        with self._lock:
            for each in verdicts:
                held = self._held.setdefault(each.item, {})
                subject = subject_of(each)
                if subject not in held or held[subject].version <= each.version:
                    held[subject] = each
                self.newest = max(self.newest, each.number)
            for item in {each.item for each in verdicts}:
                self._mark(item)

    def _mark(self, item: str) -> None:
        for row in self.table.rows_of.get(item, ()):
            verdicts = self.of(row)
            self._labels[row] = _state([each for each in verdicts if each.question != "duplicate"])
            self._duplicates[row] = _state([each for each in verdicts if each.question == "duplicate"])


def subject_of(verdict: Verdict) -> str:
    """What versions are counted for."""
    said = Decision(
        item=verdict.item,
        path=verdict.path,
        question=verdict.question,
        answer="skip",
        value=verdict.value or "-",
    )
    return said.subject


def named(what: str, text: object) -> str:
    """Check a name a person typed: one line, not too long.

    >>> named("who", "  Ann ")
    'Ann'
    >>> named("who", "a\\nb")
    Traceback (most recent call last):
    okulo.core.errors.BadInput: who: expected one line of at most 200 characters, got 'a\\nb'
    """
    if not isinstance(text, str) or len(text) > LONGEST or not text.strip().isprintable():
        raise BadInput(what, wanted=f"one line of at most {LONGEST} characters", got=repr(text)[:80])
    return text.strip()


def _state(verdicts: Sequence[Verdict]) -> int:
    answers = {each.answer for each in verdicts} - {""}
    return DECIDED if answers - {"skip"} else SKIPPED if answers else OPEN
