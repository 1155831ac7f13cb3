"""What runs a graph on the CPU: ONNX Runtime, or OpenVINO where it is installed. One process, one engine.

Spinning thread pools of two engines disturb each other; threads of ONNX Runtime sleep here while they wait,
or soon after, so that decoding beside it gets the core.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from onnx import ModelProto

from okulo.core.errors import BadInput, need

ENGINES = ("onnxruntime", "openvino", "openvino-bf16")


@runtime_checkable
class Session(Protocol):
    """A graph that is ready to run; several threads may run it at once."""

    names: list[str]
    """Its outputs."""

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        """Name each output's array."""
        ...


def open_session(
    model: ModelProto,
    engine: str = "onnxruntime",
    threads: int | None = None,
    callers: int = 1,
    profile: Path | None = None,
    spin_us: int = 0,
) -> Session:
    """Make a graph ready to run; what the engine refuses is BadInput.

    Args:
        model: the graph, all data inside.
        engine: one of `ENGINES`; `openvino` computes in float32, `openvino-bf16` in bfloat16.
        threads: threads of one run (None: all cores).
        callers: how many threads will call `run` at once.
        profile: where ONNX Runtime writes its times, node by node (a prefix).
        spin_us: threads of ONNX Runtime stay awake so long after their work (µs): the next begins sooner.
    """
    if engine not in ENGINES:
        raise BadInput("engine", wanted=f"one of {', '.join(ENGINES)}", got=repr(engine))
    if engine == "onnxruntime":
        return OrtSession(model, threads, profile, spin_us)
    if profile is not None:
        raise BadInput("profile", "times node by node come from the engine onnxruntime")
    return OpenVinoSession(model, "bf16" if engine.endswith("bf16") else "f32", threads, callers)


class OrtSession:
    """A graph in ONNX Runtime, single-precision."""

    def __init__(
        self, model: ModelProto, threads: int | None, profile: Path | None = None, spin_us: int = 0
    ) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 4  # what matters is raised
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin_us else "0")
        if spin_us:
            options.add_session_config_entry("session.intra_op.spin_duration_us", str(spin_us))
        options.enable_mem_pattern = False  # batches differ in size: plans only cost memory
        if threads is not None:
            options.intra_op_num_threads = threads
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(profile)
        try:
            self._session = ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has a type of error per cause
            raise BadInput("model file", f"ONNX Runtime cannot load it ({_short(error)})") from error
        self._session._model_bytes = None  # a whole file, kept for a change of provider: there is but one
        self.names = [each.name for each in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        """Name each output's array."""
        return dict(zip(self.names, self._session.run(None, dict(inputs))))

    def end_profile(self) -> Path:
        """Stop writing times; where they are."""
        return Path(self._session.end_profiling())


class OpenVinoSession:
    """A graph in OpenVINO; `precision` is f32 (the same answers) or bf16 (faster, near answers)."""

    def __init__(self, model: ModelProto, precision: str, threads: int | None, callers: int) -> None:
        openvino: Any = need("openvino", extra="openvino", verb="the engine openvino")
        options: dict[str, object] = {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": callers}
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads * callers
        try:
            core = openvino.Core()
            graph = core.read_model(model.SerializeToString(), b"")
            self._compiled: Any = core.compile_model(graph, "CPU", options)
        except Exception as error:  # OpenVINO raises RuntimeError with a long story
            raise BadInput("model file", f"OpenVINO cannot load it ({_short(error)})") from error
        self.names = [each.name for each in model.graph.output]

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        """Name each output's array."""
        request = self._compiled.create_infer_request()  # one a call: requests are not shared by threads
        request.infer(dict(inputs))
        return {name: np.array(request.get_tensor(name).data) for name in self.names}


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
