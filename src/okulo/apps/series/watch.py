"""`okulo series watch`: new recordings are named as they come, or "don't know" is said of them."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from okulo.apps.series.bring import ImportParams, Known, Source, keep, open_source
from okulo.apps.series.classifier import Classifier
from okulo.apps.series.clean import Rules, columns_of
from okulo.apps.series.features import compute, matrix, to_frame
from okulo.apps.series.postgres import ConnectionLost
from okulo.apps.series.store import Store
from okulo.core.errors import BadInput
from okulo.core.nouns import Series
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import read_json
from okulo.io.tables import write_parquet

DONT_KNOW = "don't know"


@dataclass(frozen=True, kw_only=True)
class WatchParams(Params):
    """Name new recordings by what was learnt; unsure, or for something new, it says "don't know".

    New are those whose id neither the folder nor an earlier watch holds. Answers are added to the folder as
    watched/…parquet: id, name (null: don't know), best, confidence, unlike, reason.
    """

    store: Path = param(help="folder of `okulo series label`", positional=True)
    source: str = param(help="postgresql://… , or a file, as for import", positional=True)
    query: str = param("", help="SELECT whose rows are the recordings (PostgreSQL)")
    table: str = param("", help="the table, in place of a query")
    id: str = param("id", help="column of the recording's number")
    values: str = param("values", help="column of its values")
    time: str = param("", help="column of the sample's time, where there is one row a sample")
    every: float = param(0, help="ask again after so many seconds, until stopped; 0: once", low=0)
    rounds: int = param(0, help="ask so many times; 0: without end", low=0)


@dataclass(frozen=True, kw_only=True)
class WatchReport:
    """What the new recordings are."""

    folder: Path
    series: int
    rounds: int
    lost: int
    """Rounds in which the database could not be reached."""
    answers: dict[str, int]
    strange: int
    """Of the "don't know": unlike everything that has a name. Something new?"""
    excluded: dict[str, int]
    examples: dict[str, list[int]]
    """Some ids of each answer that is not normal."""


class Watcher:
    """Knows which ids have been answered, and counts the answers."""

    def __init__(self, store: Store, classifier: Classifier, rules: Rules) -> None:
        self.store, self.classifier, self.rules = store, classifier, rules
        self.files = sorted((store.root / "watched").glob("*.parquet"))
        earlier = [pl.read_parquet(file, columns=["id"])["id"].to_numpy() for file in self.files]
        self.known = Known(np.concatenate([store.ids(), *earlier]))
        self.place = len(self.files)
        self.answers: Counter[str] = Counter()
        self.excluded: Counter[str] = Counter()
        self.examples: dict[str, list[int]] = {}
        self.series = self.strange = self.rounds = self.lost = 0

    def ask(self, source: Source) -> None:
        """Fetch what is new and answer it; a lost connection is counted, the next round tries again."""
        self.rounds += 1
        frames = []
        try:
            for batch in source(self.known.ids):
                new = self.known.fresh(batch.series.id)
                if new.any():
                    frames.append(self.answer(batch.series if new.all() else keep(batch.series, new)))
        except ConnectionLost:
            self.lost += 1
        if frames:
            write_parquet(pl.concat(frames), self.store.root / "watched" / f"{self.place:06}.parquet")
            self.place += 1

    def answer(self, series: Series) -> pl.DataFrame:
        """Answer some recordings."""
        frame = to_frame([(series.id, compute(series))])
        reasons, place = self.rules.judge(columns_of(frame))
        names = self.classifier.normal.names
        said = self.classifier.answer(matrix(frame, names), frame["length"].to_numpy().astype(np.float32))
        good = place < 0
        best = np.array(self.classifier.names, object)[said.best]
        nothing = np.full(len(best), None, object)
        told = np.where(said.known & good, best, nothing)
        why = np.array([*reasons, None], object)[place]
        why = np.where(good & said.strange, "unlike everything that has a name", why)
        why = np.where(good & ~said.strange & ~said.known, "not sure enough", why)
        self._count(series.id, np.where(told == None, DONT_KNOW, told)[good], good, why)  # noqa: E711
        self.strange += int((good & said.strange).sum())
        text: dict[str, np.ndarray] = {"name": told, "best": np.where(good, best, nothing), "reason": why}
        return frame.select("id").with_columns(
            *(pl.Series(name, values.tolist(), pl.String) for name, values in text.items()),
            pl.Series("confidence", said.confidence),
            pl.Series("unlike", said.unlike),
        )

    def _count(self, ids: np.ndarray, answers: np.ndarray, good: np.ndarray, why: np.ndarray) -> None:
        self.series += len(ids)
        self.answers.update(answers.tolist())
        self.excluded.update(why[~good].tolist())
        for number, answer in zip(ids[good].tolist(), answers.tolist()):
            if answer != "normal" and len(some := self.examples.setdefault(answer, [])) < 5:
                some.append(number)


def run(params: WatchParams, progress: Progress = silent) -> WatchReport:
    """Watch: once, so many rounds, or until stopped."""
    store = Store(params.store).require()
    path = store.root / "classifier.json"
    if not path.exists():
        raise BadInput(str(path), "does not exist", hint=f"`okulo series label {store.root} NAMES` makes it")
    classifier = Classifier.from_json(read_json(path))
    learnt = store.root / "clean.json"
    if not learnt.exists():
        raise BadInput(str(learnt), "does not exist", hint=f"`okulo series clean {store.root}` makes it")
    rules = Rules.from_json(read_json(learnt)["rules"])
    where = {name: getattr(params, name) for name in ("source", "query", "table", "id", "values", "time")}
    source, _ = open_source(ImportParams(out=params.store, **where))
    watcher = Watcher(store, classifier, rules)
    try:
        for _ in progress(_rounds(params), label="watching, a round a step"):
            watcher.ask(source)
    except KeyboardInterrupt:  # being stopped is how a watch ends: say what it saw
        pass
    if watcher.lost == watcher.rounds:
        raise BadInput(params.source.partition("://")[0], "the connection was lost in every round")
    return WatchReport(
        folder=store.root / "watched",
        series=watcher.series,
        rounds=watcher.rounds,
        lost=watcher.lost,
        answers=dict(watcher.answers.most_common()),
        strange=watcher.strange,
        excluded=dict(watcher.excluded.most_common()),
        examples=watcher.examples,
    )


def _rounds(params: WatchParams) -> Iterator[int]:
    if not params.every:
        yield 0
        return
    done = 0
    while not params.rounds or done < params.rounds:
        if done:
            time.sleep(params.every)
        yield done
        done += 1
