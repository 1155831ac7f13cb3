"""The feature pass on Ray: parts on any number of machines that see the same folder."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from okulo.apps.series.store import Store
from okulo.core.errors import need
from okulo.core.nouns import Series

Compute = Callable[[Series], np.ndarray]


def _work(compute: Compute, root: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    series = Store(Path(root)).read_part(Path(part))
    return series.id, compute(series)


def on_ray(store: Store, compute: Compute, workers: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Compute each part on Ray: the cluster of RAY_ADDRESS, or one on this machine that ends with the run.

    Answers come in the parts' order; at most `workers` parts are on their way.
    """
    ray: Any = need("ray", extra="ray", verb="okulo series features --engine ray")
    started = not ray.is_initialized()
    if started:
        # Without an address Ray would wait for whatever cluster ran on this machine last, alive or dead.
        address = os.environ.get("RAY_ADDRESS", "local")
        own = {"include_dashboard": False} if address == "local" else {}
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **own)
    try:
        task = ray.remote(num_cpus=1)(_work)
        root = str(store.root.resolve())
        waiting: list[Any] = []
        for part in store.parts():
            waiting.append(task.remote(compute, root, str(part.resolve())))
            if len(waiting) >= workers:
                yield ray.get(waiting.pop(0))
        for each in waiting:
            yield ray.get(each)
    finally:
        if started:
            ray.shutdown()
