"""Kernels compiled twice: for one core, and for all of them where there is enough to do."""

import threading
import types
from collections.abc import Callable
from typing import Any

import numba

ENOUGH = 30_000
"""Rows from which a kernel runs on all cores. Below, waiting for the other cores costs more than they bring,
and several threads may then run kernels at once."""


PRANGE = dict.fromkeys(
    ("comprehension", "reduction", "inplace_binop", "setitem", "numpy", "stencil", "fusion"), False
) | {"prange": True}
"""Only loops that say `prange` run in parallel; nothing else is searched for, which also compiles faster."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile for one core; remembered on disk, or only in memory where no folder can be written."""
    return _compile(function, parallel=False)


def either(function: Callable[..., Any]) -> "Either":
    """Compile twice; the length of the first argument says which is called."""
    return Either(function)


class Either:
    """A kernel in two forms, `serial` and `parallel`; called, it takes the one that suits its first argument.

    `plain` is the Python it was made of, to test both by.
    Off the main thread it is the serial one: not every threading layer of numba may be entered twice at once,
    and who starts threads has shared the cores out already.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__module__ = function.__module__
        self.plain = function
        self.serial = _compile(function, parallel=False)
        self.parallel = _compile(_renamed(function), parallel=True)

    def __call__(self, first: Any, *others: Any) -> Any:
        """Run it."""
        alone = threading.current_thread() is threading.main_thread()
        return (self.parallel if alone and len(first) >= ENOUGH else self.serial)(first, *others)


def _compile(function: Callable[..., Any], parallel: bool) -> Callable[..., Any]:
    options: dict[str, Any] = {"nogil": True, "parallel": PRANGE if parallel else False}
    made: Callable[..., Any]
    try:
        made = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no place for its cache
        made = numba.njit(**options)(function)
    return made


def _renamed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Copy a function under another name: numba's cache on disk knows names, not whether it is parallel."""
    assert isinstance(function, types.FunctionType)
    name = f"{function.__name__}_parallel"
    copy = types.FunctionType(function.__code__, function.__globals__, name, function.__defaults__)
    copy.__qualname__, copy.__module__, copy.__doc__ = name, function.__module__, function.__doc__
    return copy
