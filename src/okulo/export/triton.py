"""A Triton model repository: pre-processing for one picture, the network for batches, and both as one."""

from pathlib import Path

from onnx import ModelProto, TensorProto

from okulo.core.errors import BadInput
from okulo.io.files import write_aside, write_text
from okulo.runtime.graph import INPUT, SEAM, split

TYPES = {TensorProto.FLOAT: "TYPE_FP32", TensorProto.UINT8: "TYPE_UINT8", TensorProto.INT64: "TYPE_INT64"}

Tensors = dict[str, tuple[str, list[int]]]
"""Name → Triton's type and the dimensions (-1: any)."""


def write_triton(
    model: ModelProto, folder: Path, name: str, *, max_batch: int = 64, delay_us: int = 2000
) -> tuple[Path, ...]:
    """Write three models and give back their folders.

    `<name>_preprocess` takes a picture of any size and makes `pixels`; `<name>_network` answers batches
    that Triton gathers from concurrent requests (dynamic batching); `<name>` is the ensemble a client asks.
    """
    if not name.replace("_", "").replace("-", "").isalnum():
        raise BadInput("name", wanted="letters, digits, - and _", got=repr(name))
    before, after = split(model)
    picture, pixels = _tensors(before, "input"), _tensors(before, "output")
    answers = _tensors(after, "output")
    inner = {key: (kind, dims[1:]) for key, (kind, dims) in pixels.items()}
    rows = {key: (kind, dims[1:]) for key, (kind, dims) in answers.items()}
    batched = {key: (kind, [-1, *dims]) for key, (kind, dims) in rows.items()}
    once = {key: (kind, [1, *dims]) for key, (kind, dims) in inner.items()}
    parts = {f"{name}_preprocess": before, f"{name}_network": after}
    configs = {
        f"{name}_preprocess": _onnx_config(f"{name}_preprocess", 0, picture, once, _ONE_THREAD),
        f"{name}_network": _onnx_config(
            f"{name}_network", max_batch, inner, rows, _batching(max_batch, delay_us)
        ),
        name: _ensemble_config(name, picture, batched),
    }
    for part, text in configs.items():
        (folder / part / "1").mkdir(parents=True, exist_ok=True)  # an ensemble's version folder is empty
        write_text(folder / part / "config.pbtxt", text)
        if part in parts:
            with write_aside(folder / part / "1" / "model.onnx") as aside:
                aside.write_bytes(parts[part].SerializeToString(deterministic=True))
    return tuple(folder / part for part in configs)


_ONE_THREAD = 'parameters { key: "intra_op_thread_count" value { string_value: "1" } }\n'


def _batching(max_batch: int, delay_us: int) -> str:
    preferred = ", ".join(str(size) for size in (8, 32) if size < max_batch)
    preferred = f"  preferred_batch_size: [ {preferred} ]\n" if preferred else ""
    return f"dynamic_batching {{\n{preferred}  max_queue_delay_microseconds: {delay_us}\n}}\n"


def _tensors(model: ModelProto, side: str) -> Tensors:
    found: Tensors = {}
    for each in model.graph.input if side == "input" else model.graph.output:
        kind = each.type.tensor_type
        dims = [d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim]
        found[each.name] = (TYPES[kind.elem_type], dims)
    return found


def _listed(side: str, tensors: Tensors) -> str:
    entries = [
        f'  {{\n    name: "{name}"\n    data_type: {kind}\n    dims: [ {", ".join(map(str, dims))} ]\n  }}'
        for name, (kind, dims) in tensors.items()
    ]
    return f"{side} [\n" + ",\n".join(entries) + "\n]\n"


def _onnx_config(name: str, max_batch: int, inputs: Tensors, outputs: Tensors, more: str) -> str:
    head = f'name: "{name}"\nbackend: "onnxruntime"\nmax_batch_size: {max_batch}\n'
    return head + _listed("input", inputs) + _listed("output", outputs) + more


def _ensemble_config(name: str, inputs: Tensors, outputs: Tensors) -> str:
    head = f'name: "{name}"\nplatform: "ensemble"\nmax_batch_size: 0\n'
    first = _step(f"{name}_preprocess", {INPUT: INPUT}, {SEAM: SEAM})
    second = _step(f"{name}_network", {SEAM: SEAM}, {key: key for key in outputs})
    steps = f"ensemble_scheduling {{\n  step [\n{first},\n{second}\n  ]\n}}\n"
    return head + _listed("input", inputs) + _listed("output", outputs) + steps


def _step(model: str, inputs: dict[str, str], outputs: dict[str, str]) -> str:
    maps = [
        f'      {side}_map {{ key: "{key}" value: "{value}" }}'
        for side, pairs in (("input", inputs), ("output", outputs))
        for key, value in pairs.items()
    ]
    return f'    {{\n      model_name: "{model}"\n      model_version: -1\n' + "\n".join(maps) + "\n    }"
