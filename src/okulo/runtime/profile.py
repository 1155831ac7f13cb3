"""Which layer is slow: ONNX Runtime's own times, node by node."""

import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from okulo.runtime.engines import OrtSession
from okulo.runtime.graph import SEAM, read_model, said_by, split

RUNS = 20


@dataclass(frozen=True)
class Layer:
    """Mean time of one node of the network in one run of a batch."""

    name: str
    kind: str
    ms: float
    share: float


def profile_file(path: Path, threads: int, batch: int) -> tuple[Layer, ...]:
    """Time a model file's network node by node, slowest first (ONNX Runtime, after its own fusions)."""
    model = read_model(path)
    _, network = split(model)
    shape = (batch, 3, *said_by(model).preprocess.size)
    pixels = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        session = OrtSession(network, threads, Path(folder) / "times")
        for _ in range(RUNS + 1):
            session.run({SEAM: pixels})
        events = json.loads(session.end_profile().read_text(encoding="utf-8"))
    return layers(events)


def layers(events: list[dict[str, object]]) -> tuple[Layer, ...]:
    """Add up ONNX Runtime's profile; the first run of each node is warming up and left out.

    >>> run = {"cat": "Node", "name": "a_kernel_time", "dur": 2000, "args": {"op_name": "Conv"}}
    >>> layers([{**run, "dur": 9000}, run, run])
    (Layer(name='a', kind='Conv', ms=2.0, share=1.0),)
    """
    times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        name, details = str(event.get("name", "")), event.get("args")
        if event.get("cat") == "Node" and name.endswith("_kernel_time") and isinstance(details, dict):
            kind = str(details.get("op_name", ""))
            times[name.removesuffix("_kernel_time"), kind].append(float(str(event["dur"])) / 1e3)
    means = {key: float(np.mean(each[1:])) for key, each in times.items() if len(each) > 1}
    total = sum(means.values()) or 1.0
    found = [Layer(name, kind, ms, ms / total) for (name, kind), ms in means.items()]
    return tuple(sorted(found, key=lambda layer: -layer.ms))
