"""`okulo series label`: people's names for groups, written back, and a classifier learnt from them."""

import csv
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64

from okulo.apps.series.classifier import Learnt, learn
from okulo.apps.series.cluster import NORMAL
from okulo.apps.series.features import matrix
from okulo.apps.series.normal import Normal
from okulo.apps.series.store import Store, same_rows
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import read_json, write_json
from okulo.io.tables import write_parquet

EXCLUDED = -2
IGNORE = "-"
"""A group of this name is left out: its members are neither this nor that."""


@dataclass(frozen=True, kw_only=True)
class LabelParams(Params):
    """Give groups their names, and learn from them a classifier that can say "don't know".

    The names come from the report page ("Save names"), or from a file: JSON as {"1": "stuck valve"}, or CSV
    with the columns group and name. Groups of one name are one class; the name "normal" makes a group normal;
    the name "-" leaves it out.
    """

    store: Path = param(help="folder with groups", positional=True)
    names: Path = param(help="file of names: JSON or CSV", positional=True)
    seed: int = param(0, help="of the sample and the folds", low=0)
    replace: bool = param(False, help="name anew what has names already")


@dataclass(frozen=True, kw_only=True)
class LabelReport:
    """The names and how many have them, and how well the classifier does on recordings it has not seen."""

    file: Path
    classifier: Path
    names: dict[str, int]
    unnamed: int
    """Recordings of groups without a name, and odd ones."""
    rows: int
    accuracy: float
    threshold: float
    refused: float
    """Share of the answers that become "don't know" (out of fold)."""
    errors_kept: float | None
    """Share of the errors that are still given; None: there was none."""
    seconds: float


def read_names(path: Path) -> dict[int, str]:
    """Read which group is called what.

    A page's export holds them under "names"; a plain file is the mapping itself.
    """
    if not path.is_file():
        raise BadInput(
            str(path), "does not exist", hint="`okulo series report` makes a page to name groups on"
        )
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows or not {"group", "name"} <= set(rows[0]):
            raise BadInput(
                str(path), wanted="the columns group and name", got=", ".join(rows[0]) if rows else "none"
            )
        said: Mapping[str, Any] = {row["group"]: row["name"] for row in rows}
    else:
        said = read_json(path)
        said = said.get("names", said) if isinstance(said, dict) else {}
    names = {}
    for group, name in said.items():
        if not isinstance(name, str) or not str(group).lstrip("-").isdigit():
            raise BadInput(
                str(path), wanted='names of groups, as {"1": "stuck valve"}', got=f"{group!r}: {name!r}"
            )
        if name.strip():
            names[int(group)] = name.strip()
    if not names:
        raise BadInput(str(path), "names no group", hint='as {"1": "stuck valve", "2": "no peak"}')
    return names


def run(params: LabelParams, progress: Progress = silent) -> LabelReport:
    """Write `names.json`, `labels.parquet` (id, name) and `classifier.json`."""
    started = time.perf_counter()
    store = Store(params.store).require()
    if (store.root / "names.json").exists() and not params.replace:
        raise BadInput(str(store.root / "names.json"), "exists already", hint="--replace names anew")
    given = read_names(params.names)
    groups = store.read_table("groups")
    group = groups["group"].fill_null(EXCLUDED).to_numpy()
    known = {int(each) for each in np.unique(groups["group"].drop_nulls().to_numpy())}
    wrong = sorted(set(given) - known)
    if wrong:
        raise BadInput(str(params.names), f"there is no group {wrong[0]}", hint=f"groups are {_few(known)}")
    given.setdefault(NORMAL, "normal")
    names = tuple(
        sorted({name for name in given.values() if name != IGNORE}, key=lambda n: (n != "normal", n))
    )
    place = {number: names.index(name) for number, name in given.items() if name != IGNORE}
    label = np.full(len(group), -1, np.int64)
    for number, index in place.items():
        label[group == number] = index
    learnt: Learnt | None = None
    for _ in progress([None], label="learning"):
        learnt = _learn(store, names, label, groups, params.seed)
    assert learnt is not None
    write_json(store.root / "names.json", {"names": {str(k): v for k, v in sorted(given.items())}})
    told = pl.Series("name", np.array([*names, None], object)[label].tolist(), pl.String)
    write_parquet(groups.select("id").with_columns(told), store.root / "labels.parquet")
    return _report(store, learnt, names, label, group, time.perf_counter() - started)


def _learn(
    store: Store, names: tuple[str, ...], label: Int64[np.ndarray, " n"], groups: pl.DataFrame, seed: int
) -> Learnt:
    normal = Normal.from_json(read_json(store.root / "groups.json")["normal"])
    frame = store.read_table("features")
    same_rows(frame, groups, store.root)
    rows = np.flatnonzero(label >= 0)
    some = frame[rows]
    z = normal.deviations(matrix(some, normal.names), some["length"].to_numpy().astype(np.float32))
    learnt = learn(names, normal, z, label[rows], seed)
    write_json(store.root / "classifier.json", learnt.classifier.to_json())
    return learnt


def _report(
    store: Store,
    learnt: Learnt,
    names: tuple[str, ...],
    label: Int64[np.ndarray, " n"],
    group: np.ndarray,
    seconds: float,
) -> LabelReport:
    answers, errors = learnt.curve.at(learnt.classifier.threshold)
    counts = np.bincount(label[label >= 0], minlength=len(names))
    return LabelReport(
        file=store.root / "labels.parquet",
        classifier=store.root / "classifier.json",
        names={name: int(count) for name, count in zip(names, counts)},
        unnamed=int(((group != EXCLUDED) & (label < 0)).sum()),
        rows=learnt.rows,
        accuracy=1 - float(learnt.curve.risk[0]),
        threshold=learnt.classifier.threshold,
        refused=1 - answers / learnt.rows,
        errors_kept=errors / int(learnt.curve.errors[0]) if learnt.curve.has else None,
        seconds=seconds,
    )


def _few(numbers: set[int]) -> str:
    numbered = sorted(number for number in numbers if number > 0)
    return f"1 to {numbered[-1]}" if numbered else "none but the normal"
