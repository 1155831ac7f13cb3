"""The feature pass on Ray: parts on any number of machines that see the same folder."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from okulo.apps.series.store import Store
from okulo.core.nouns import Series
from okulo.io.clusters import open_ray

Compute = Callable[[Series], np.ndarray]


def _work(compute: Compute, root: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    series = Store(Path(root)).read_part(Path(part))
    return series.id, compute(series)


def on_ray(store: Store, compute: Compute, workers: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Compute each part on Ray: the cluster of RAY_ADDRESS, or one on this machine that ends with the run.

    Answers come in the parts' order; at most `workers` parts are on their way.
    """
    with open_ray("okulo series features --engine ray") as ray:
        task = ray.remote(num_cpus=1)(_work)
        root = str(store.root.resolve())
        waiting: list[Any] = []
        for part in store.parts():
            waiting.append(task.remote(compute, root, str(part.resolve())))
            if len(waiting) >= workers:
                yield ray.get(waiting.pop(0))
        for each in waiting:
            yield ray.get(each)
