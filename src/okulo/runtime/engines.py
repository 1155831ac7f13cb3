"""What runs a graph: ONNX Runtime, or OpenVINO where it is installed. One engine per process."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from onnx import ModelProto

from okulo.core.errors import BadInput

ENGINES = ("onnxruntime", "openvino", "openvino-bf16")


class Session(Protocol):
    """A graph that is ready to run."""

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        """Name each output's array."""
        ...


def open_session(model: ModelProto, engine: str = "onnxruntime", threads: int | None = None) -> Session:
    """Make a graph ready to run; what the engine refuses is BadInput."""
    if engine not in ENGINES:
        raise BadInput("engine", wanted=f"one of {', '.join(ENGINES)}", got=repr(engine))
    return OrtSession(model, threads)


class OrtSession:
    """A graph in ONNX Runtime on the CPU, single-precision."""

    def __init__(self, model: ModelProto, threads: int | None = None) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session = ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has a type of error per cause
            raise BadInput("model file", f"ONNX Runtime cannot load it ({_first_line(error)})") from error
        self.names = [each.name for each in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        """Name each output's array."""
        return dict(zip(self.names, self._session.run(None, dict(inputs))))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
