"""`okulo apply`: write people's verdicts into a new table, and say where they fell."""

import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from okulo.core.errors import BadInput, need
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.core.table import SPLITS, Items
from okulo.io.tables import read_items, write_items

NO_SPLIT = "no split"


@dataclass(frozen=True, kw_only=True)
class ApplyParams(Params):
    """Write people's verdicts into a new table.

    Changes `label` (`labels`) and `keep`, keeps the old in `label_before` (`labels_before`), adds `verdict`,
    and leaves out items that somebody removed or dropped. The table that is read stays as it is.
    """

    items: Path = param(help="table of items", positional=True)
    verdicts: str = param(help="verdict store: the file the review page wrote, or a database URL")
    output: Path = param(help="the new table", short="o")
    leave_out: bool = param(True, help="leave out items that were removed or dropped")
    classes: str = param("", help="refuse verdicts for other classes than these (commas between)")


@dataclass(frozen=True)
class ApplyReport:
    """What the verdicts did."""

    items: int
    written: int
    verdicts: int
    answers: dict[str, int]
    """Question and answer, how often."""
    splits: dict[str, dict[str, int]]
    """For each split: items reviewed, label changed, left out."""
    transitions: list[tuple[str, str, int]]
    """Label before, label after, how often; most first."""
    unknown: int
    """Verdicts on items the table does not hold."""
    stale: int
    """Verdicts on a label the table no longer has; not applied."""
    new_classes: list[str]
    one_sided: bool
    """Labels changed in train, none in val or test, though these exist."""
    output: Path
    before: str
    """Command that measures a model on the old labels."""
    after: list[str]
    """Commands that measure it on the new ones, and train anew."""


def run(params: ApplyParams, progress: Progress = silent) -> ApplyReport:
    """Read verdicts, write the new table, count what changed."""
    del progress
    need("sqlalchemy", extra="serve", verb="okulo apply")
    from okulo.curate.verdicts import open_store

    items = read_items(params.items)
    if params.output.resolve() == params.items.resolve():
        raise BadInput(
            "output", "is the table that is read", hint="verdicts make a new table; name another file"
        )
    taken = [name for name in ("verdict", "label_before", "labels_before") if name in items.frame.columns]
    if taken:
        raise BadInput(
            "table", f"already has {', '.join(taken)}", hint="apply to the table that was reviewed"
        )
    with open_store(params.verdicts, create=False) as store:
        said = store.current().rows(named=True)
    done = _Applied(items.frame)
    for verdict in said:
        done.take(verdict)
    _check_classes(params.classes, done.classes)
    frame = done.frame()
    kept = frame.filter(~pl.Series(done.out)) if params.leave_out else frame
    written = write_items(Items(kept, items.root), params.output)
    return _report(params, items.frame, len(written), said, done)


class _Applied:
    """The columns that verdicts change, while they are changed."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.old = frame
        self.by_id: dict[str, list[int]] = {}
        for row, item in enumerate(frame["id"]):
            self.by_id.setdefault(item, []).append(row)
        n = len(frame)
        self.label = frame["label"].to_list() if "label" in frame.columns else [None] * n
        self.labels = (
            [list(v or ()) for v in frame["labels"].to_list()] if "labels" in frame.columns else None
        )
        self.looked = (
            [list(v or ()) for v in frame["labelled_for"].to_list()]
            if "labelled_for" in frame.columns
            else None
        )
        self.keep: list[bool | None] = frame["keep"].to_list() if "keep" in frame.columns else [None] * n
        self.said: list[list[str]] = [[] for _ in range(n)]
        self.changed = [False] * n
        self.out = [False] * n
        self.answers: Counter[str] = Counter()
        self.classes: set[str] = set()
        self.unknown = self.stale = 0

    def take(self, verdict: dict[str, Any]) -> None:
        """Apply one verdict to every row it is about."""
        question, answer, value = verdict["question"], verdict["answer"], verdict["value"]
        self.answers[f"{question}: {answer}"] += 1
        rows = self.by_id.get(verdict["item"], [])
        if question == "duplicate":  # which copy: by its path, where files of the same bytes are listed twice
            rows = [i for i in rows if self.old["path"][i] == verdict["path"]] or rows[:1]
        if not rows:
            self.unknown += 1
            return
        if answer == "skip":
            return
        if question == "label":
            rows = self._fresh(rows, verdict)
        if answer == "change" or (question == "has" and answer == "yes"):
            self.classes.add(value)
        for i in rows:
            getattr(self, f"_{question}")(i, answer, value)

    def _fresh(self, rows: list[int], verdict: dict[str, Any]) -> list[int]:
        """Rows whose label is the one that was shown, or (a contradiction) that share its bytes."""
        labels = {self.old["label"][i] for i in rows} if "label" in self.old.columns else {None}
        if verdict["given"] and verdict["given"] not in labels and verdict["value"] not in labels:
            self.stale += 1
            return []
        return rows

    def _label(self, i: int, answer: str, value: str) -> None:
        self.said[i].append(answer if answer != "change" else f"change to {value}")
        if answer == "remove":
            self.out[i] = True
        elif answer == "change" and self.label[i] != value:
            self.label[i], self.changed[i] = value, True

    def _has(self, i: int, answer: str, value: str) -> None:
        self.said[i].append(f"{value}: {answer}")
        if self.labels is None:
            self.labels = [[] for _ in self.said]
        holds = answer == "yes"
        if holds != (value in self.labels[i]):
            self.changed[i] = True
            self.labels[i] = [*self.labels[i], value] if holds else [v for v in self.labels[i] if v != value]
        if self.looked is not None and value not in self.looked[i]:
            self.looked[i].append(value)

    def _duplicate(self, i: int, answer: str, value: str) -> None:
        del value
        self.said[i].append(f"copy: {answer}")
        self.keep[i] = answer != "drop"
        self.out[i] = self.out[i] or answer == "drop"

    def frame(self) -> pl.DataFrame:
        """The table with what the verdicts changed, and what was before."""
        old, columns = self.old, []
        said = ["; ".join(each) or None for each in self.said]
        columns.append(pl.Series("verdict", said, dtype=pl.String))
        if "label" in old.columns or any(label is not None for label in self.label):
            before = old["label"] if "label" in old.columns else pl.Series([None] * len(old), dtype=pl.String)
            columns += [pl.Series("label", self.label, dtype=pl.String), before.alias("label_before")]
        if self.labels is not None:
            kind = pl.List(pl.String)
            before = old["labels"] if "labels" in old.columns else pl.Series([None] * len(old), dtype=kind)
            columns += [pl.Series("labels", self.labels, dtype=kind), before.alias("labels_before")]
            if self.looked is not None:
                columns.append(pl.Series("labelled_for", self.looked, dtype=kind))
        if any(value is not None for value in self.keep):
            columns.append(pl.Series("keep", self.keep, dtype=pl.Boolean))
        return old.with_columns(columns)


def _check_classes(wanted: str, used: set[str]) -> None:
    known = {name.strip() for name in wanted.split(",") if name.strip()}
    if known and used - known:
        got = ", ".join(sorted(used - known))
        raise BadInput("verdicts", wanted=f"one of {', '.join(sorted(known))}", got=got)


def _report(
    params: ApplyParams, frame: pl.DataFrame, written: int, said: list[dict[str, Any]], done: _Applied
) -> ApplyReport:
    split = frame["split"].fill_null(NO_SPLIT) if "split" in frame.columns else [NO_SPLIT] * len(frame)
    splits: dict[str, dict[str, int]] = {}
    for name in (*SPLITS, NO_SPLIT):
        rows = [i for i, each in enumerate(split) if each == name]
        if rows:
            splits[name] = {
                "items": len(rows),
                "reviewed": sum(bool(done.said[i]) for i in rows),
                "changed": sum(done.changed[i] for i in rows),
                "left out": sum(done.out[i] for i in rows) if params.leave_out else 0,
            }
    moves = Counter(
        (str(frame["label"][i]), str(done.label[i]))
        for i in range(len(frame))
        if "label" in frame.columns and frame["label"][i] != done.label[i]
    )
    held: list[str] = [name for name in ("val", "test") if name in splits]
    before = set(frame["label"].drop_nulls()) if "label" in frame.columns else set()
    return ApplyReport(
        items=len(frame), written=written, verdicts=len(said), answers=dict(done.answers.most_common()),
        splits=splits,
        transitions=[(a, b, count) for (a, b), count in sorted(moves.items(), key=lambda m: (-m[1], m[0]))],
        unknown=done.unknown, stale=done.stale,
        new_classes=sorted(done.classes - before) if "label" in frame.columns and done.labels is None else [],
        one_sided=bool(
            held and splits.get("train", {}).get("changed") and not any(splits[s]["changed"] for s in held)
        ),
        output=params.output, **_commands(params, held),
    )  # fmt: skip


def _commands(params: ApplyParams, held: list[str]) -> dict[str, Any]:
    split = f" --split {held[-1]}" if held else ""
    old, new = shlex.quote(str(params.items)), shlex.quote(str(params.output))
    return {
        "before": f"okulo evaluate MODEL {old}{split} -o before",
        "after": [
            f"okulo evaluate MODEL {new}{split} -o after",
            f"okulo train {new} -o runs/cleaned",
            f"okulo evaluate runs/cleaned {new}{split} -o after-training",
        ],
    }
