"""Answer many picture files with all cores, in order, with flat memory.

Each worker takes the next batch of files and does all of it on its own core: read, decode, prepare, run the
network (one thread). No core waits for another and no queue lies between stages; at most a few batches are in
memory however many files there are. This beats decoding threads beside one network on all cores: a network's
own threads never keep two cores fully busy.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from okulo.core.errors import BadInput
from okulo.io.images import decode
from okulo.runtime.modelfile import ModelFile


@dataclass(frozen=True)
class Answered:
    """What one file gave: its hash, and the answer or why there is none."""

    id: str
    answer: dict[str, np.ndarray] | None
    error: str | None


def answer_files(
    model: ModelFile, files: Sequence[Path], outputs: Sequence[str], batch: int, workers: int
) -> Iterator[Answered]:
    """Answer each file in order; an unreadable one is an answer with `error`. Keeps only these `outputs`."""
    size = max(1, min(batch, -(-len(files) // (4 * workers))))  # at the end nobody waits long for another
    pool = ThreadPoolExecutor(workers, thread_name_prefix="okulo-predict")
    waiting: deque[Future[list[Answered]]] = deque()
    try:
        for start in range(0, len(files), size):
            waiting.append(pool.submit(_answer, model, files[start : start + size], outputs))
            if len(waiting) > workers + 1:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # also when stopped half-way


def _answer(model: ModelFile, files: Sequence[Path], outputs: Sequence[str]) -> list[Answered]:
    pixels = model.blank(len(files))
    seen: list[tuple[str, str | None]] = []
    good = 0
    for file in files:
        try:
            data = file.read_bytes()
            name = _hash(data)
        except OSError as error:
            seen.append((_hash(str(file).encode()), f"cannot be read ({error.strerror})"))
            continue
        try:
            model.prepare(decode(data), pixels[good])
        except BadInput as problem:  # one bad picture must not stop the rest
            seen.append((name, str(problem)))
            continue
        seen.append((name, None))
        good += 1
    said = model.answer(pixels[:good]) if good else {}
    rows = iter(range(good))
    return [
        Answered(name, None, error) if error else Answered(name, _row(said, outputs, next(rows)), None)
        for name, error in seen
    ]


def _row(said: dict[str, np.ndarray], outputs: Sequence[str], row: int) -> dict[str, np.ndarray]:
    return {name: said[name][row].copy() for name in outputs}  # a view would keep the whole batch


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
