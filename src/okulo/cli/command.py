"""What every verb shares: options made from its parameters, progress, `--json`, `--quiet`, exit codes."""

import inspect
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import cyclopts
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from okulo.core.errors import BadInput
from okulo.core.params import Params
from okulo.core.protocols import Progress, silent
from okulo.core.report import to_json

T = TypeVar("T")
P = TypeVar("P", bound=Params)
R = TypeVar("R")

Quiet = Annotated[bool, cyclopts.Parameter(help="no progress bars", negative="")]
AsJson = Annotated[bool, cyclopts.Parameter(name="--json", help="print the report as JSON", negative="")]


def command(
    params: type[P], run: Callable[[P, Progress], R], show: Callable[[R, Console], None]
) -> Callable[..., int]:
    """Make a verb of its parameters class, what it does, and how its report is shown.

    >>> from dataclasses import dataclass
    >>> from okulo.core.params import param
    >>> @dataclass(frozen=True, kw_only=True)
    ... class AddParams(Params):
    ...     a: int = param(help="first", positional=True)
    ...     b: int = param(1, help="second", low=0)
    >>> add = command(AddParams, lambda p, progress: {"sum": p.a + p.b}, lambda report, console: None)
    >>> add(2, b=3, as_json=True)
    {
      "sum": 5
    }
    0
    """

    def verb(*args: Any, quiet: bool = False, as_json: bool = False, **options: Any) -> int:
        bound = signature.bind(*args, **options)
        try:
            report = run(params(**bound.arguments), silent if quiet or as_json else progress_bar)
        except BadInput as error:
            return _refuse(str(error))
        except OSError as error:
            if error.filename is None and error.errno is None:
                raise
            return _refuse(f"{error.filename or 'file system'}: {error.strerror}")
        except KeyboardInterrupt as stop:
            sys.stderr.write(f"okulo: {stop if stop.args else 'stopped'}\n")
            return 130
        if as_json:
            print(json.dumps(to_json(report), indent=2, ensure_ascii=False))
        else:
            show(report, Console(highlight=False))
        return 0

    signature = _signature(params)
    verb.__signature__ = signature  # type: ignore[attr-defined]  # cyclopts reads both
    verb.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    verb.__doc__ = params.__doc__
    return verb


def _signature(params: type[Params]) -> inspect.Signature:
    types = get_type_hints(params)
    made = []
    for each in fields(params):  # type: ignore[arg-type]  # every subclass is a dataclass
        kind = (
            inspect.Parameter.POSITIONAL_OR_KEYWORD
            if each.metadata["positional"]
            else inspect.Parameter.KEYWORD_ONLY
        )
        default = inspect.Parameter.empty if each.default is MISSING else each.default
        made.append(
            inspect.Parameter(each.name, kind, default=default, annotation=_option(types[each.name], each))
        )
    only = inspect.Parameter.KEYWORD_ONLY
    made.append(inspect.Parameter("quiet", only, default=False, annotation=Quiet))
    made.append(inspect.Parameter("as_json", only, default=False, annotation=AsJson))
    return inspect.Signature(made, return_annotation=int)


def _option(kind: Any, each: Any) -> Any:
    names = [f"--{each.name.replace('_', '-')}"] + (
        [f"-{each.metadata['short']}"] if each.metadata["short"] else []
    )
    if each.metadata["choices"] and kind is str:
        kind = Literal[each.metadata["choices"]]
    negative = None if kind is bool else ()  # --no-mirror makes sense, --empty-paths does not
    return Annotated[kind, cyclopts.Parameter(name=names, help=each.metadata["help"], negative=negative)]


def _refuse(message: str) -> int:
    sys.stderr.write(f"okulo: {message}\n")
    return 2


def progress_bar(steps: Iterable[T], /, *, label: str, total: int | None = None) -> Iterator[T]:
    """Draw a bar on standard error while the steps pass; nothing where that is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from steps
        return
    if total is None and isinstance(steps, Sized):
        total = len(steps)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=total)
        for step in steps:
            yield step
            bar.advance(task)
