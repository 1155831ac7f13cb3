"""The same as a Ray Data job: pictures from any fsspec storage, actors on any number of machines."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from okulo.core.errors import need
from okulo.core.vectors import Embedded, Embedder
from okulo.curate.embed import CHUNK
from okulo.io.clusters import open_ray

Worker = Callable[[Sequence[bytes]], list[Embedded]]
"""Answers pictures' bytes; made once in each actor."""

AHEAD = 64
"""Chunks handed to Ray in one dataset: what bounds the driver's list of paths in flight."""


class _Actor:
    """Reads and embeds batches; Ray keeps one per worker alive, so a model is loaded once."""

    def __init__(self, make: Callable[[], Worker], length: int) -> None:
        self._worker = make()
        self._length = length

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        said = [_read(str(file)) for file in batch["file"]]
        answers = iter(self._worker([data for data in said if isinstance(data, bytes)]))
        rows = [Embedded(None, data) if isinstance(data, str) else next(answers) for data in said]
        vectors = np.zeros((len(rows), self._length), np.float32)
        for index, row in enumerate(rows):
            if row.vector is not None:
                vectors[index] = row.vector
        return {
            "row": batch["row"],
            "vector": vectors,
            "error": np.array([row.error or "" for row in rows], dtype=object),
        }


def _read(file: str) -> bytes | str:
    """Read a path or URL; what cannot be read is said in words."""
    import fsspec  # type: ignore[import-untyped]  # comes with ray[data]

    try:
        with fsspec.open(file, "rb") as opened:
            data: bytes = opened.read()
            return data
    except (OSError, ValueError, ImportError) as error:  # a storage's package may be missing
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def ray_embedder(name: str, length: int, make: Callable[[], Worker], batch: int, workers: int) -> Embedder:
    """Embed on Ray: the cluster of RAY_ADDRESS, or one on this machine that ends with the run."""
    verb = "okulo embed --engine ray"
    need("fsspec", extra="ray", verb=verb)
    need("ray", extra="ray", verb=verb)

    def embed(files: Sequence[str]) -> Iterator[Embedded]:
        with open_ray(verb):
            for start in range(0, len(files), AHEAD * CHUNK):
                yield from _embed_some(files[start : start + AHEAD * CHUNK], length, make, batch, workers)

    return Embedder(name, length, embed)


def _embed_some(
    files: Sequence[str], length: int, make: Callable[[], Worker], batch: int, workers: int
) -> Iterator[Embedded]:
    import ray

    context: Any = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it tells its plan on the terminal otherwise
    rows = [{"row": index, "file": file} for index, file in enumerate(files)]
    blocks = max(1, min(len(rows) // batch, 4 * workers))
    made = ray.data.from_items(rows, override_num_blocks=blocks).map_batches(
        _Actor,
        fn_constructor_args=(make, length),
        batch_size=batch,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    wanted = 0
    late: dict[int, Embedded] = {}
    for row in made.iter_rows():
        vector = None if row["error"] else np.asarray(row["vector"], np.float32)
        late[int(row["row"])] = Embedded(vector, row["error"] or None)
        while wanted in late:  # order is asked for, and held even if a version of Ray forgets it
            yield late.pop(wanted)
            wanted += 1
