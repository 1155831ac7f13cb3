"""Ray: the cluster that is named, or one on this machine for as long as it is needed."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from okulo.core.errors import need


@contextmanager
def open_ray(verb: str) -> Iterator[Any]:
    """Open the cluster of RAY_ADDRESS, or start one here and end it at the end; an open one is left as it is.

    Without an address Ray would wait for whatever cluster ran on this machine last, alive or dead.
    """
    ray: Any = need("ray", extra="ray", verb=verb)
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS", "local")
    own = {"include_dashboard": False} if address == "local" else {}
    ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **own)
    try:
        yield ray
    finally:
        ray.shutdown()
