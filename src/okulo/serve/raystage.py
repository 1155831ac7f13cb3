"""Post-processing that runs as another deployment of the same Ray application, seen as a Predictor."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from okulo.serve.refusals import WorkerDied
from okulo.serve.wire import packed, unpack

ON_RAY = "ray:"
"""In place of a URL: post-processing is another deployment of this Ray application."""
CALL: ContextVar[Callable[[bytes], bytes]] = ContextVar("okulo_ray_call")
"""Sends a batch to post-processing and waits for its answer; set in a replica, and for what it begins."""


class RayStage:
    """A Predictor on the cluster: Ray sends each batch to the replica with the least to do."""

    def __init__(self) -> None:
        self._call = CALL.get()

    def predict(self, batch: Sequence[Any], /) -> Sequence[Any]:
        """Answer i belongs to input i."""
        if not batch:
            return []
        try:
            answers: list[Any] = unpack(self._call(bytes(packed(list(batch)))))
        except Exception as error:
            if not type(error).__module__.startswith("ray."):
                raise
            raise WorkerDied(f"a replica of post-processing failed ({error})"[:500]) from error
        return answers
