"""Post-processing for tests: each answer carries what it was made from."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Echo:
    """Each picture is taken apart into `count` objects; each object's result is its number and its pid."""

    count = 20
    seconds = 0.0

    def split(self, answer: Any, height: int, width: int) -> list[dict[str, Any]]:
        colour = np.asarray(answer["embedding"], np.float32)
        return [{"index": index, "colour": colour} for index in range(self.count)]

    def predict(self, batch: Sequence[Any], /) -> list[dict[str, Any]]:
        said = []
        for each in batch:
            time.sleep(self.seconds)
            said.append({"index": each["index"], "colour": each["colour"] * 2, "pid": os.getpid()})
        return said

    def join(self, answer: Any, height: int, width: int, results: Sequence[Any]) -> dict[str, Any]:
        return {
            "order": [each["index"] for each in results],
            "colours": [np.asarray(each["colour"]).tolist() for each in results],
            "pids": sorted({each["pid"] for each in results}),
            "size": [height, width],
        }


class Slow(Echo):
    """10 ms an object."""

    count = 200
    seconds = 0.01


class Suicidal(Echo):
    """Dies over a dark picture, always."""

    count = 4

    def predict(self, batch: Sequence[Any], /) -> list[dict[str, Any]]:
        if max(each["colour"].max() for each in batch) < 0.1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(batch)


class Patient(Echo):
    """Takes half a second for each picture's one object."""

    count = 1
    seconds = 0.5


class Steady(Echo):
    """Takes 30 ms for each picture's one object."""

    count = 1
    seconds = 0.03


class Picky(Echo):
    """Raises over a dark picture."""

    count = 4

    def predict(self, batch: Sequence[Any], /) -> list[dict[str, Any]]:
        if any(each["colour"].max() < 0.1 for each in batch):
            raise ValueError("too dark")
        return super().predict(batch)


def broken() -> Echo:
    raise OSError(f"no {Path('/nowhere')}")
