"""Parameters of a command: one frozen flat dataclass, each field with its help and its bounds.

The command line, an HTTP schema and a web form are all made from it.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True, kw_only=True)
... class ResizeParams(Params):
...     width_px: int = param(help="width of the result", low=1)
...     mode: str = param("stretch", help="how the picture is fitted", choices=("stretch", "crop"))
>>> ResizeParams(width_px=3)
ResizeParams(width_px=3, mode='stretch')
>>> ResizeParams(width_px=0)
Traceback (most recent call last):
okulo.core.errors.BadInput: width-px: expected a number ≥ 1, got 0
>>> ResizeParams(width_px=3, mode="strech")
Traceback (most recent call last):
okulo.core.errors.BadInput: mode: expected one of stretch, crop, got 'strech'; did you mean 'stretch'?
"""

from collections.abc import Sequence
from dataclasses import MISSING, field, fields
from difflib import get_close_matches
from typing import Any

from okulo.core.errors import BadInput


def param(
    default: Any = MISSING,
    *,
    help: str,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    positional: bool = False,
    short: str = "",
) -> Any:
    """Declare one field of a parameters class.

    Args:
        default: the value when none is given; a field without one is required.
        help: one line for `--help`, the schema and the form; units belong here and in the name.
        low: the least that is allowed.
        high: the most that is allowed.
        choices: the words that are allowed.
        positional: given by place on the command line, not by name.
        short: one letter, for `-o`.
    """
    metadata = {
        "help": help,
        "low": low,
        "high": high,
        "choices": tuple(choices),
        "positional": positional,
        "short": short,
    }
    return field(default=default, metadata=metadata)


class Params:
    """Parameters of one command; a subclass is a frozen dataclass whose fields are `param(…)`."""

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, each.name)
            if value is not None:
                _check(each.name.replace("_", "-"), value, each.metadata)


def _check(name: str, value: Any, rules: Any) -> None:
    low, high, choices = rules.get("low"), rules.get("high"), rules.get("choices")
    if choices and value not in choices:
        near = get_close_matches(str(value), choices, n=1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}?" if near else ""
        raise BadInput(name, wanted=f"one of {', '.join(choices)}", got=repr(value), hint=hint)
    for number in value if isinstance(value, tuple | list) else (value,):
        if low is not None and not number >= low:
            raise BadInput(name, wanted=f"a number ≥ {low:g}", got=value)
        if high is not None and not number <= high:
            raise BadInput(name, wanted=f"a number ≤ {high:g}", got=value)
