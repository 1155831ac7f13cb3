"""What parts promise each other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

T = TypeVar("T")
In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)

Image = np.ndarray
"""uint8 `(h, w, 3)`, RGB."""

Answer = Mapping[str, np.ndarray]
"""What a model says of one image: its named outputs, without the batch dimension
(`probabilities` float32 `(k,)`, `embedding` float32 `(d,)`, …)."""


@runtime_checkable
class Predictor(Protocol[In, Out]):
    """Anything that answers a batch. It never changes its inputs.

    An empty batch has an empty answer, and splitting a batch changes nothing.
    """

    def predict(self, batch: Sequence[In], /) -> Sequence[Out]:
        """Answer i belongs to input i."""
        ...


@runtime_checkable
class Progress(Protocol):
    """Says how far a long loop is: wrap what is looped over."""

    def __call__(self, steps: Iterable[T], /, *, label: str, total: int | None = None) -> Iterator[T]:
        """Pass the steps on, one by one."""
        ...


def silent(steps: Iterable[T], /, *, label: str, total: int | None = None) -> Iterator[T]:
    """Report nothing.

    >>> list(silent([1, 2], label="twice"))
    [1, 2]
    """
    del label, total
    return iter(steps)
