"""Write a checked model file of a network whose inputs are arrays."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

import okulo
from okulo.core.arraymodel import ARRAY_TASKS, ArrayInfo
from okulo.core.errors import BadInput
from okulo.export.network_graph import OPSET
from okulo.runtime.arrays import load_arrays, write_arrays

TOLERANCE = 2e-3
"""Largest difference of a unit vector's coordinate to PyTorch's."""


def write_array_network(
    network: nn.Module,
    info: ArrayInfo,
    path: Path,
    free: Mapping[str, Mapping[int, str]],
    examples: Sequence[Mapping[str, np.ndarray]],
) -> float:
    """Export a network as a model file and prove it against PyTorch; a file that fails is not left behind.

    Args:
        network: its `forward` takes the inputs by name and gives the task's output.
        info: what the file says of itself; `inputs` are in the order of `forward`.
        path: the file, whole or absent.
        free: which axes of which inputs may have any length; axes of one name are equally long.
        examples: inputs it is proven on; the first one is traced, the others should have other lengths.

    Returns:
        The largest difference to PyTorch on the examples.
    """
    network = network.float().cpu().eval()
    tensors = [{name: torch.from_numpy(each[name]) for name in info.inputs} for each in examples]
    names = {name for axes in free.values() for name in axes.values()}
    dims = {name: torch.export.Dim(name, min=2, max=2**26) for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's
        program = torch.onnx.export(
            network,
            tuple(tensors[0].values()),
            input_names=list(info.inputs),
            output_names=[ARRAY_TASKS[info.task]],
            dynamic_shapes=tuple(
                {axis: dims[called] for axis, called in free.get(name, {}).items()} for name in info.inputs
            ),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    made = {"okulo": okulo.__version__, "torch": torch.__version__, "onnx": onnx.__version__}
    versions = {**info.versions, **made, "exported": datetime.now(UTC).date().isoformat()}
    proven = path.with_name(f".{path.name}.proof.onnx")
    try:
        write_arrays(program.model_proto, info, proven)
        worst = _worst(network, info, proven, tensors)
    finally:
        proven.unlink(missing_ok=True)
    notes = {**info.notes, "parity": {"on": f"{len(tensors)} pieces", "worst": worst}}
    write_arrays(program.model_proto, replace(info, versions=versions, notes=notes), path)
    return worst


def _worst(
    network: nn.Module, info: ArrayInfo, path: Path, examples: Sequence[Mapping[str, Tensor]]
) -> float:
    file = load_arrays(path)
    worst = 0.0
    for each in examples:
        with torch.no_grad():
            wanted = network(**each).numpy()
        got = file.run({name: value.numpy() for name, value in each.items()})[ARRAY_TASKS[info.task]]
        worst = max(worst, float(np.abs(got - wanted).max()))
    if not worst <= TOLERANCE:
        raise BadInput("export", wanted=f"answers within {TOLERANCE:g} of PyTorch's", got=f"{worst:.2g}")
    return worst
