"""Pictures to vectors: what gives them, and what one picture gave."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True)
class Embedded:
    """What one file gave: its vector, or why there is none."""

    vector: Float32[np.ndarray, " d"] | None
    error: str | None = None


@dataclass(frozen=True)
class Embedder:
    """Gives vectors for files, in order; `name` changes whenever the vectors would."""

    name: str
    length: int
    embed: Callable[[Sequence[str]], Iterator[Embedded]]
