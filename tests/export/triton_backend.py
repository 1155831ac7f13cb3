"""ONNX Runtime as a Triton backend written in Python, for the Triton server of the pytriton wheel.

That server is the real one (configs, batching, ensembles, HTTP) but comes with the Python backend only. A
backend of any name may be a `model.py`: this one stands in for `onnxruntime`. Runs inside Triton.
"""

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path[:0] = filter(None, os.environ.get("OKULO_PACKAGES", "").split(os.pathsep))

import numpy as np  # noqa: E402
import onnxruntime as ort  # noqa: E402

try:
    import triton_python_backend_utils as pb
except ModuleNotFoundError:  # collected by pytest, not run by Triton
    pb = None


class TritonPythonModel:
    """Runs `model.onnx`; holds the config's shapes to the file's, as the real backend does."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        self.session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.gathers = config["max_batch_size"] > 0
        self.inputs = [each["name"] for each in config["input"]]
        self.outputs = [each["name"] for each in config["output"]]
        self._check(config["input"], self.session.get_inputs())
        self._check(config["output"], self.session.get_outputs())

    def _check(self, said: list[dict[str, Any]], has: list[Any]) -> None:
        shapes = {each.name: [d if isinstance(d, int) else -1 for d in each.shape] for each in has}
        for each in said:
            wanted = [-1] * self.gathers + [int(d) for d in each["dims"]]
            got = shapes[each["name"]]
            if len(wanted) != len(got) or any(-1 not in (a, b) and a != b for a, b in zip(wanted, got)):
                raise ValueError(f"{each['name']}: the config says {wanted}, the file {got}")

    def execute(self, requests: list[Any]) -> list[Any]:
        batches = [[pb.get_input_tensor_by_name(r, n).as_numpy() for n in self.inputs] for r in requests]
        if not self.gathers:
            return [self._respond(self.session.run(self.outputs, dict(zip(self.inputs, b)))) for b in batches]
        joined = {name: np.concatenate(column) for name, column in zip(self.inputs, zip(*batches))}
        said = self.session.run(self.outputs, joined)
        ends = np.cumsum([0, *(len(each[0]) for each in batches)])
        return [self._respond([v[a:b] for v in said]) for a, b in pairwise(ends)]

    def _respond(self, arrays: list[Any]) -> Any:
        return pb.InferenceResponse([pb.Tensor(name, value) for name, value in zip(self.outputs, arrays)])
