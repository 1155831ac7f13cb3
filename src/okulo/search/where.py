"""Which items may be found: `split = 'train' AND width > 200`, checked word by word before it is run."""

import re
from collections.abc import Iterator

import numpy as np
import polars as pl
from jaxtyping import Bool

from okulo.core.errors import BadInput

LONGEST = 2_000
WORDS = ("and", "or", "not", "in", "like", "ilike", "between", "is", "null", "true", "false")
CALLS = ("lower", "upper", "length", "starts_with", "ends_with", "array_contains", "abs")
TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>"[^"]+"|[A-Za-z_]\w*)|(?P<number>\d+(?:\.\d+)?)"""
    r"""|(?P<sign><=|>=|<>|!=|=|<|>|\(|\)|,|\+|-|\*|/))""",
    re.ASCII,
)


def where(frame: pl.DataFrame, text: str) -> Bool[np.ndarray, " n"]:
    """Say for which rows a condition in SQL holds; one that is empty on a row does not hold there.

    Only columns of the table, constants, comparisons, `AND OR NOT IN LIKE ILIKE BETWEEN IS NULL` and a few
    functions are taken: nothing that reads a file or makes something large.

    >>> frame = pl.DataFrame({"split": ["train", "test", None], "width": [3, 4, 5]})
    >>> where(frame, "split = 'train' OR width > 4").tolist()
    [True, False, True]
    >>> where(frame, "splt = 'train'")
    Traceback (most recent call last):
    okulo.core.errors.BadInput: where: the table has no column splt; it has split, width
    """
    if not text.strip():
        return np.ones(len(frame), bool)
    checked = " ".join(_checked(text, frame.columns))
    try:
        kept = frame.select(pl.sql_expr(checked).alias("kept"))["kept"]
    except Exception as error:  # its parser and its types raise many kinds, some of Rust's panics among them
        reason = str(error).partition("\n")[0][:200]
        raise BadInput("where", f"cannot be understood ({reason})") from error
    if kept.dtype != pl.Boolean or len(kept) not in (1, len(frame)):
        raise BadInput("where", wanted="a condition that is true or false", got=f"{kept.dtype} values")
    if len(kept) != len(frame):
        kept = kept.new_from_index(0, len(frame))
    return kept.fill_null(False).to_numpy()


def _checked(text: str, columns: list[str]) -> Iterator[str]:
    """The condition's words, each one known; names are quoted, so that none can be read as anything else."""
    if len(text) > LONGEST:
        raise BadInput("where", wanted=f"at most {LONGEST} characters", got=len(text))
    at = 0
    text = text.rstrip()
    if text.count("(") > 50:
        raise BadInput("where", wanted="at most 50 brackets", got=text.count("("))
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise BadInput("where", f"cannot be understood from {text[at : at + 20]!r} on")
        at = found.end()
        name = found["name"]
        if name is None:
            yield found.group().strip()
        elif _is_word(name, columns, text[at:]):
            yield name.upper()
        elif name.strip('"') in columns:
            yield f'"{name.strip(chr(34))}"'
        else:
            raise BadInput(
                "where",
                f"the table has no column {name.strip(chr(34))}",
                hint=f"it has {', '.join(columns[:20])}",
            )


def _is_word(name: str, columns: list[str], rest: str) -> bool:
    if name.lower() in WORDS:
        return name not in columns
    return name.lower() in CALLS and rest.lstrip().startswith("(")
