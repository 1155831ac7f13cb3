"""The one error that is the user's to mend, and optional imports that say what to install."""

import importlib
from types import ModuleType


class BadInput(Exception):
    """What was given cannot be used; the message says what was wanted, what was got and what to do.

    Everything else that is raised is a bug in okulo. The command line ends with exit code 2.

    >>> print(BadInput("boxes", wanted="float32 of shape (any, 4)", got="float64 (2, 4)"))
    boxes: expected float32 of shape (any, 4), got float64 (2, 4)
    >>> print(BadInput("xyxy", "x0 > x1 in row 17", hint="is this xywh? see boxes.from_xywh"))
    xyxy: x0 > x1 in row 17; is this xywh? see boxes.from_xywh
    """

    def __init__(
        self, what: str, problem: str = "", *, wanted: object = "", got: object = "", hint: str = ""
    ) -> None:
        if not problem:
            problem = f"expected {wanted}" + (f", got {got}" if got != "" else "")
        super().__init__(f"{what}: {problem}" + (f"; {hint}" if hint else ""))
        self.what = what
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes send errors home by pickle, which would call __init__ with the finished text.
        return (_rebuild, (self.what, self.hint, str(self)))


def _rebuild(what: str, hint: str, text: str) -> BadInput:
    error = BadInput(what)
    error.args, error.hint = (text,), hint
    return error


def need(module: str, *, extra: str, verb: str = "this") -> ModuleType:
    """Import an optional dependency; where it is missing, say which extra brings it.

    One that is installed but broken raises its own error: hiding that would send the user to reinstall.

    >>> need("json", extra="train").__name__
    'json'
    >>> need("no_such_module", extra="train", verb="okulo train")
    Traceback (most recent call last):
    okulo.core.errors.BadInput: okulo train needs no_such_module: pip install 'okulo[train]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise BadInput(f"{verb} needs {error.name}", f"pip install 'okulo[{extra}]'") from error
