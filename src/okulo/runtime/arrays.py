"""A model file whose inputs are arrays: read with the same suspicion, run as it is."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import ModelProto

from okulo.core.arraymodel import ARRAY_TASKS, ArrayInfo
from okulo.core.errors import BadInput
from okulo.io.files import write_aside
from okulo.runtime.engines import Session, open_session
from okulo.runtime.graph import PREFIX, metadata, read_graph, refuse_external


class ArrayFile:
    """Answers named arrays with named arrays; `info.task` and `info.architecture` say what they mean."""

    def __init__(self, info: ArrayInfo, session: Session) -> None:
        self.info = info
        self._session = session

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph; inputs it does not take are left out, missing ones are BadInput."""
        missing = [name for name in self.info.inputs if name not in inputs]
        if missing:
            raise BadInput(
                "model file", wanted=f"inputs {', '.join(self.info.inputs)}", got=", ".join(inputs)
            )
        try:
            return self._session.run({name: inputs[name] for name in self.info.inputs})
        except Exception as error:  # ONNX Runtime has a type of error per cause
            if isinstance(error, MemoryError):
                raise
            reason = " ".join(str(error).split())[:200]
            raise BadInput("model file", f"cannot run on these inputs ({reason})") from error


def load_arrays(path: Path, threads: int | None = None) -> ArrayFile:
    """Open a model file with arrays as inputs; whatever is wrong with it is BadInput that names the file."""
    model = read_graph(Path(path))
    try:
        refuse_external(model.graph)
        info = array_info(model)
        inputs = {each.name for each in model.graph.input}
        outputs = {each.name for each in model.graph.output}
        if inputs != set(info.inputs) or ARRAY_TASKS[info.task] not in outputs:
            wanted = f"inputs {', '.join(info.inputs)} and output {ARRAY_TASKS[info.task]}"
            raise BadInput("model file", wanted=wanted, got=f"{', '.join(inputs)} and {', '.join(outputs)}")
        return ArrayFile(info, open_session(model, "onnxruntime", threads))
    except BadInput as error:
        raise BadInput(str(path), str(error)) from error


def array_info(model: ModelProto) -> ArrayInfo:
    """Read the metadata `okulo.*` of a graph."""
    return ArrayInfo.from_json(metadata(model))


def write_arrays(model: ModelProto, info: ArrayInfo, path: Path) -> None:
    """Write a graph with this metadata as a model file, whole or not at all."""
    del model.metadata_props[:]
    for key, value in info.to_json().items():
        model.metadata_props.add(key=PREFIX + key, value=json.dumps(value))
    with write_aside(path) as aside:
        aside.write_bytes(model.SerializeToString(deterministic=True))
