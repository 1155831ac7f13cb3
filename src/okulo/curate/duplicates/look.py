"""Read every different picture once: its sketch, and a descriptor where there are no vectors."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, Int64
from threadpoolctl import threadpool_limits

from okulo.core.errors import BadInput
from okulo.core.protocols import Progress
from okulo.curate.descriptor import LENGTH, describe
from okulo.curate.duplicates.evidence import measure
from okulo.curate.duplicates.sketch import sketch
from okulo.curate.duplicates.slide import ways_laid
from okulo.curate.duplicates.store import SketchStore
from okulo.curate.duplicates.verifier import verifier
from okulo.io.images import read_image

AT_ONCE = 256
"""Pictures or pairs handed to the threads at a time."""


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads of ours; OpenCV's and BLAS's own, which here only burn time, rest until the end."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with (
            threadpool_limits(1, "blas"),
            ThreadPoolExecutor(workers, thread_name_prefix="okulo-dedup") as pool,
        ):
            yield pool
    finally:
        cv2.setNumThreads(before)


@dataclass(frozen=True)
class Looked:
    """What reading the pictures gave, row i for file i."""

    errors: list[str | None]
    """Why a picture could not be read; None: it could."""
    descriptors: Float32[np.ndarray, "n 336"] | None


def look_at(
    files: Sequence[Path], store: SketchStore, with_descriptors: bool, workers: int, progress: Progress
) -> Looked:
    """Sketch the pictures into the store; one that cannot be read is an error in its row."""
    descriptors = np.zeros((len(files), LENGTH), np.float32) if with_descriptors else None

    def one(number: int) -> str | None:
        try:
            image = read_image(files[number])
        except BadInput as error:  # one bad picture must not stop the rest
            return str(error)
        store.put(number, sketch(image))
        if descriptors is not None:
            descriptors[number] = describe(image)
        return None

    errors: list[str | None] = []
    with _pool(workers) as pool:
        for start in progress(range(0, len(files), AT_ONCE), label="looking at pictures"):
            errors += pool.map(one, range(start, min(start + AT_ONCE, len(files))))
    return Looked(errors, descriptors)


def verify(
    pairs: Int64[np.ndarray, "p 2"],
    cosine: Float32[np.ndarray, " p"],
    store: SketchStore,
    mirrored: bool,
    workers: int,
    progress: Progress,
) -> Float32[np.ndarray, " p"]:
    """Score pairs by looking at their pictures: the probability that a pair is one picture twice."""
    forest = verifier()

    def some(start: int) -> Float32[np.ndarray, " s"]:
        end = min(start + AT_ONCE, len(pairs))
        rows: list[Float32[np.ndarray, " e"]] = []
        for k in range(start, end):  # pairs come sorted: mostly the first picture is the one before
            if not rows or pairs[k, 0] != pairs[k - 1, 0]:
                one = store.get(int(pairs[k, 0]))
                edges = ways_laid(one.edges, mirrored)
            rows.append(measure(one, store.get(int(pairs[k, 1])), float(cosine[k]), mirrored, edges))
        return forest.score(np.stack(rows))

    starts = range(0, len(pairs), AT_ONCE)
    with _pool(workers) as pool:
        found = list(progress(pool.map(some, starts), label="comparing pairs", total=len(starts)))
    return np.concatenate(found) if found else np.zeros(0, np.float32)
