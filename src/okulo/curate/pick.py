"""`okulo pick`: which pictures are worth a person's time next."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from okulo.core.errors import BadInput
from okulo.core.protocols import Progress, silent
from okulo.core.table import Items
from okulo.curate.audit_columns import read_groups, read_vectors
from okulo.curate.pick_model import Answers, ask
from okulo.curate.pick_params import PickParams
from okulo.curate.pick_scores import (
    UNCERTAINTY,
    cover,
    fill_evenly,
    fill_in_proportion,
    local_distance,
    nearest_labelled,
    uncertainty,
)
from okulo.io.tables import read_items, write_items

FLOOR = 0.02
"""Weight of an item the model is sure of, so that it can still be chosen when nothing else is left."""
REACH = 0.3
"""Of the distance to the 20th neighbour: what is nearer to a known item is hardly new."""


@dataclass(frozen=True)
class PickReport:
    """What was chosen."""

    pool: int
    chosen: int
    labelled: int
    copies: int
    """Items of the pool that were passed over: copies of labelled ones."""
    blind: int
    """Items that were passed over: they have no finite vector."""
    method: str
    asked: str
    """Whose uncertainty was used."""
    classes: dict[str, int]
    """What the model takes the chosen items for, most first."""
    top: list[tuple[str, str]]
    """First of the chosen: path and reason."""
    output: Path


def run(params: PickParams, progress: Progress = silent) -> PickReport:
    """Choose, and write the chosen rows in order with `rank` and `reason`."""
    del progress
    items = read_items(params.items)
    if params.output.resolve() == params.items.resolve():
        raise BadInput("output", "is the table that is read", hint="name another file for the chosen items")
    pool, labelled = _pool(items.frame, params)
    groups = read_groups(items.frame)
    pool, copies = _without_copies(pool, labelled, groups)
    if "split" in items.frame.columns:  # what is measured with must not decide what is learnt from
        labelled = labelled[(items.frame["split"] != "test").fill_null(True).to_numpy()[labelled]]
    blind = 0
    if params.method != "random":
        pool, labelled, blind = _with_vectors(items.frame, pool, labelled, params.embedding)
    if not len(pool):
        raise BadInput(
            "pool", wanted="at least one item to choose from", got="none", hint=_hint(params, copies)
        )
    answers = ask(items.frame, pool, labelled, params)
    rng = np.random.default_rng(params.seed)
    inside = np.full(len(pool), -1, np.int64) if groups is None else groups[pool]
    rows, reasons = _choose(answers, inside, params, rng)
    chosen = items.frame[pool[rows].tolist()].with_columns(
        pl.Series("rank", np.arange(1, len(rows) + 1), dtype=pl.Int32),
        pl.Series("reason", reasons, dtype=pl.String),
    )
    write_items(Items(chosen, items.root), params.output)
    guesses = [answers.classes[i] for i in answers.best[rows]] if answers.best is not None else []
    return PickReport(
        pool=len(pool),
        chosen=len(rows),
        labelled=len(labelled),
        copies=copies,
        blind=blind,
        method=params.method,
        asked=answers.asked,
        classes=dict(Counter(sorted(guesses)).most_common()),
        top=list(zip(chosen["path"].head(5), chosen["reason"].head(5))),
        output=params.output,
    )


def _with_vectors(
    frame: pl.DataFrame, pool: np.ndarray, labelled: np.ndarray, column: str
) -> tuple[np.ndarray, np.ndarray, int]:
    """Leave out rows without a finite vector; how many of the pool these are."""
    if column not in frame.columns:
        return pool, labelled, 0
    usable = read_vectors(frame, column)[1]
    return pool[usable[pool]], labelled[usable[labelled]], int((~usable[pool]).sum())


def _pool(frame: pl.DataFrame, params: PickParams) -> tuple[np.ndarray, np.ndarray]:
    """Rows to choose from, and rows that are labelled."""
    if params.for_class:
        if "labelled_for" not in frame.columns and "labels" not in frame.columns:
            raise BadInput(
                "table", "has no column labelled_for", hint="it says which classes were looked for"
            )
        looked = pl.lit(False)
        for name in ("labelled_for", "labels"):
            if name in frame.columns and frame.schema[name] != pl.Null:
                looked = looked | pl.col(name).list.contains(params.for_class).fill_null(False)
    elif "label" in frame.columns:
        looked = pl.col("label").is_not_null()
    elif "labels" in frame.columns:
        looked = pl.col("labels").is_not_null()
    else:
        looked = pl.lit(False)
    has = frame.with_columns(looked.alias("looked"))["looked"].to_numpy()
    wanted = _where(frame, params.pool) if params.pool else ~has
    return np.flatnonzero(wanted), np.flatnonzero(has & ~wanted)


def _where(frame: pl.DataFrame, condition: str) -> np.ndarray:
    try:
        said = frame.select(pl.sql_expr(condition).alias("in"))["in"]
    except (pl.exceptions.PolarsError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        hint = f"columns: {', '.join(frame.columns)}"
        raise BadInput("pool", f"{condition!r} cannot be understood ({reason})", hint=hint) from error
    if said.dtype != pl.Boolean or len(said) != len(frame):
        raise BadInput("pool", wanted="a condition, such as split = 'train'", got=repr(condition))
    return np.asarray(said.fill_null(False).to_numpy())


def _without_copies(
    pool: np.ndarray, labelled: np.ndarray, groups: np.ndarray | None
) -> tuple[np.ndarray, int]:
    if groups is None:
        return pool, 0
    known = groups[labelled]
    copy = np.isin(groups[pool], known[known >= 0])
    return pool[~copy], int(copy.sum())


def _hint(params: PickParams, copies: int) -> str:
    if copies:
        return f"{copies:,} are copies of labelled items"
    return "every item has a label" if not params.pool else "no row fulfils the condition"


def _choose(
    answers: Answers, groups: np.ndarray, params: PickParams, rng: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    n = min(params.number, len(groups))
    method = params.method
    how = method if method in UNCERTAINTY else "margin"
    unsure = (
        np.ones(len(groups)) if answers.probabilities is None else uncertainty(answers.probabilities, how)
    )
    far = None
    if answers.vectors is not None and method in ("combined", "k-center"):
        far = nearest_labelled(answers.vectors, answers.labelled_vectors)

    reach = 0.0
    if method == "combined" and answers.vectors is not None and answers.probabilities is not None:
        reach = REACH * local_distance(answers.vectors, rng=rng)

    def best_of(rows: np.ndarray, wanted: int) -> np.ndarray:
        if far is not None and answers.vectors is not None:
            weight = unsure[rows] + FLOOR if method == "combined" else np.ones(len(rows))
            found, _ = cover(answers.vectors[rows], weight, far[rows], groups[rows], wanted, reach=reach)
            return np.asarray(rows[found])
        key = rng.random(len(rows)) if method == "random" else unsure[rows]
        return _one_a_group(rows[np.argsort(-key, kind="stable")], groups)[:wanted]

    every = np.arange(len(groups))
    take = _quotas(answers, params, n)
    if take is None:
        rows = best_of(every, n)
    else:
        parts = [best_of(every[answers.best == c], int(count)) for c, count in enumerate(take) if count]
        rows = np.concatenate(parts) if parts else every[:0]
        rows = _one_a_group(rows[np.argsort(-unsure[rows], kind="stable")], groups)
    typical = float(np.sqrt(np.median(far))) if far is not None else 0.0
    return rows, [_reason(answers, int(i), far, typical) for i in rows]


def _one_a_group(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The first row of every group, and all without one."""
    own = np.where(groups[rows] >= 0, groups[rows], -1 - np.arange(len(rows)))
    _, first = np.unique(own, return_index=True)
    return np.asarray(rows[np.sort(first)])


def _quotas(answers: Answers, params: PickParams, n: int) -> np.ndarray | None:
    if not params.balance and params.method != "error-rate":
        return None
    if answers.best is None:
        what = "--balance" if params.balance else "error-rate"
        raise BadInput(
            what, "needs to know what the items look like", hint="label a few of two classes first"
        )
    k = len(answers.classes)
    offered = np.bincount(answers.best, minlength=k)
    if params.method == "error-rate":
        return fill_in_proportion(offered * answers.error_rate, offered, n)
    return fill_evenly(answers.have, offered, n)


def _reason(answers: Answers, i: int, far: np.ndarray | None, typical: float) -> str:
    said = []
    if answers.probabilities is not None:
        first, second = np.argsort(-answers.probabilities[i], kind="stable")[:2]
        p, q = answers.probabilities[i][[first, second]]
        said.append(f"{answers.classes[first]} {p:.0%}, {answers.classes[second]} {q:.0%}")
    if far is not None and typical > 0:
        from_what = "the labelled ones" if len(answers.labelled_vectors) else "the middle"
        said.append(f"{np.sqrt(far[i]) / typical:.1f} times as far from {from_what} as usual")
    return "; ".join(said) or "at random"
