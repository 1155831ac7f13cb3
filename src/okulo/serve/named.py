"""Post-processing by name: a few built-in ones, or `module:factory` as the operator says, never a request."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from okulo.core.errors import BadInput
from okulo.core.protocols import Answer

Plain = Any
"""Numbers, text, lists and dicts of these, and arrays: what `wire` carries."""


@runtime_checkable
class Postprocess(Protocol):
    """Work on what the network said of one picture, object by object.

    `split` and `join` run in the server and should be quick; `predict` runs in the stage's workers, wherever
    they are, and gets some objects of one picture at a time.
    """

    def split(self, answer: Answer, height: int, width: int) -> Sequence[Plain]:
        """Take the answer for a picture of this size (pixels) apart into objects."""
        ...

    def predict(self, batch: Sequence[Plain], /) -> Sequence[Plain]:
        """Answer i belongs to object i."""
        ...

    def join(self, answer: Answer, height: int, width: int, results: Sequence[Plain]) -> Plain:
        """Make the `result` that the client gets of all objects' results, in order."""
        ...


POSTPROCESS = {
    "outlines": "okulo.serve.outlines:Outlines",
    "footprints": "okulo.apps.footprints.stage:Footprints",
}
"""The built-in ones; each is a `module:factory` like any other, imported when it is asked for: applications
lie
beside this layer, not below it."""


def find_postprocess(name: str) -> Postprocess:
    """Make the post-processing of this name, built in or `module:factory`.

    >>> find_postprocess("outlins")
    Traceback (most recent call last):
    okulo.core.errors.BadInput: postprocess: expected one of outlines, footprints, or module:factory, got
    'outlins'
    """
    spec = POSTPROCESS.get(name, name)
    module, _, factory = spec.partition(":")
    if not module or not factory:
        known = ", ".join(POSTPROCESS)
        raise BadInput("postprocess", wanted=f"one of {known}, or module:factory", got=repr(name))
    try:
        made = getattr(import_module(module), factory)()
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise BadInput(f"postprocess {name}", f"no module named {error.name}") from error
    except AttributeError as error:
        raise BadInput(f"postprocess {name}", str(error)) from error
    missing = [each for each in ("split", "predict", "join") if not callable(getattr(made, each, None))]
    if missing:
        raise BadInput(f"postprocess {name}", wanted="split, predict and join", got=f"no {missing[0]}")
    result: Postprocess = made
    return result
