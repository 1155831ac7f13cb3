"""Open Inference Protocol v2: a request's JSON and binary tensors in, a response's out.

https://github.com/kserve/open-inference-protocol and Triton's binary tensor data extension.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from okulo.core.errors import BadInput
from okulo.serve.models import Output, Served

DTYPES = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT8": np.int8,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
NAMES: dict[np.dtype[Any], str] = {np.dtype(kind): name for name, kind in DTYPES.items()}
INPUTS = ("image", "pixels")
URGENT = 1
"""Triton's numbering: 1 is the highest priority, 0 the default; all others are not urgent."""
KNOWN_KEYS = {"id", "inputs", "outputs", "parameters"}


@dataclass(slots=True)
class Asking:
    """An inference request, read and checked."""

    id: str
    name: str
    array: np.ndarray
    outputs: list[tuple[str, bool]] | None
    """Names, and whether as binary; None: all."""
    binary: bool
    timeout_s: float | None
    urgent: bool


def read_request(body: bytes, json_bytes: int | None) -> Asking:
    """Read a request whose first `json_bytes` (None: all) are JSON, the rest binary tensors."""
    length = len(body) if json_bytes is None else json_bytes
    if not 0 < length <= len(body):
        raise BadInput("Inference-Header-Content-Length", wanted=f"1 to {len(body)}", got=length)
    try:
        said = orjson.loads(memoryview(body)[:length])
    except ValueError as error:
        raise BadInput("request", f"is no JSON ({error})") from error
    if not isinstance(said, dict):
        raise BadInput("request", wanted="a JSON object", got=type(said).__name__)
    inputs = said.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise BadInput("inputs", wanted=f"one of {' or '.join(INPUTS)}", got=_count(inputs))
    name, array = _tensor(inputs[0], memoryview(body)[length:])
    parameters = _object(said.get("parameters"), "parameters")
    identity = said.get("id", "")
    if not isinstance(identity, str):
        raise BadInput("id", wanted="text", got=type(identity).__name__)
    binary = parameters.get("binary_data_output", False) is True
    outputs = _outputs(said.get("outputs"), binary)
    return Asking(
        identity, name, array, outputs, binary, _timeout(parameters), parameters.get("priority") == URGENT
    )


def _count(inputs: object) -> str:
    return f"{len(inputs)} inputs" if isinstance(inputs, list) else type(inputs).__name__


def _object(value: object, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInput(what, wanted="a JSON object", got=type(value).__name__)
    return value


def _timeout(parameters: dict[str, Any]) -> float | None:
    """Read `timeout`, microseconds as Triton counts them."""
    value = parameters.get("timeout")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise BadInput("timeout", wanted="microseconds, a whole number > 0", got=repr(value))
    return value / 1e6


def _outputs(value: object, binary: bool) -> list[tuple[str, bool]] | None:
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadInput("outputs", wanted="a list of JSON objects", got=type(value).__name__)
    wanted = []
    for each in value:
        parameters = _object(each.get("parameters"), "parameters of an output")
        if "shared_memory_region" in parameters or "classification" in parameters:
            raise BadInput("outputs", "shared memory and classification are not offered here")
        if not isinstance(each.get("name"), str):
            raise BadInput("outputs", wanted="a name for each", got=repr(each.get("name")))
        wanted.append((each["name"], parameters.get("binary_data", binary) is True))
    return wanted


def _tensor(said: dict[str, Any], binary: memoryview) -> tuple[str, np.ndarray]:
    name, datatype, shape = said.get("name"), said.get("datatype"), said.get("shape")
    if name not in INPUTS:
        raise BadInput("input", wanted=f"named {' or '.join(INPUTS)}", got=repr(name)[:80])
    wanted = "UINT8" if name == "image" else "FP32"
    if datatype != wanted:
        raise BadInput(f"input {name}", wanted=f"datatype {wanted}", got=repr(datatype)[:80])
    whole = isinstance(shape, list) and all(type(side) is int and 0 <= side < 1 << 40 for side in shape)
    if not whole or not isinstance(shape, list) or not 3 <= len(shape) <= 4:
        raise BadInput(f"input {name}", wanted="a shape of 3 or 4 whole numbers", got=repr(shape)[:80])
    dtype, count = np.dtype(DTYPES[wanted]), 1
    for side in shape:
        count *= side
    parameters = _object(said.get("parameters"), f"parameters of input {name}")
    size = parameters.get("binary_data_size")
    if size is None:
        if len(binary):
            raise BadInput(f"input {name}", f"{len(binary)} bytes follow the JSON that no input claims")
        return name, _from_json(name, said.get("data"), dtype, count).reshape(shape)
    if "data" in said:
        raise BadInput(f"input {name}", "has both data and binary_data_size")
    if size != count * dtype.itemsize or size != len(binary) or isinstance(size, bool):
        raise BadInput(
            f"input {name}",
            wanted=f"{count * dtype.itemsize} bytes for {shape}",
            got=f"{size!r}, {len(binary)}",
        )
    return name, np.frombuffer(binary, dtype).reshape(shape)


def _from_json(name: str, data: object, dtype: np.dtype[Any], count: int) -> np.ndarray:
    if not isinstance(data, list):
        raise BadInput(f"input {name}", wanted="data, a list of numbers", got=type(data).__name__)
    try:
        array = np.array(data)
    except (ValueError, OverflowError, TypeError) as error:
        raise BadInput(f"input {name}", "its data is ragged or holds no numbers") from error
    if array.size != count:
        raise BadInput(f"input {name}", wanted=f"{count} numbers", got=array.size)
    if array.size == 0:
        return np.zeros(0, dtype)
    if array.dtype.kind not in ("iu" if dtype.kind == "u" else "iuf"):
        raise BadInput(f"input {name}", wanted=f"numbers for {dtype.name}", got=array.dtype.name)
    if dtype.kind == "u" and not 0 <= array.min() <= array.max() <= 255:
        raise BadInput(f"input {name}", wanted="0 to 255", got=f"{array.min()} to {array.max()}")
    return array.reshape(-1).astype(dtype)


def as_values(asking: Asking, served: Served, max_images: int) -> list[np.ndarray]:
    """Take the input apart into one array a picture; checked against the model before anything waits."""
    array, size = asking.array, served.info.preprocess.size
    if asking.name == "pixels":
        if array.ndim != 4 or array.shape[1:] != (3, *size):
            raise BadInput(
                "input pixels", wanted=f"shape [n, 3, {size[0]}, {size[1]}]", got=list(array.shape)
            )
    else:
        array = array if array.ndim == 4 else array[None]
        if array.shape[3] != 3 or 0 in array.shape[1:]:
            raise BadInput(
                "input image", wanted="shape [h, w, 3] or [n, h, w, 3], RGB", got=list(asking.array.shape)
            )
    if not 1 <= len(array) <= max_images:
        raise BadInput(f"input {asking.name}", wanted=f"1 to {max_images} pictures", got=len(array))
    return list(array)


def check_outputs(asking: Asking, served: Served) -> None:
    """Raise BadInput if an output is asked for that the model does not have."""
    if asking.outputs is not None:
        known = {each.name for each in served.outputs} | ({"result"} if served.has_result else set())
        for name, _ in asking.outputs:
            if name not in known:
                raise BadInput("outputs", wanted=", ".join(sorted(known)), got=repr(name)[:80])


def write_response(
    asking: Asking, served: Served, columns: dict[str, Sequence[Any]]
) -> tuple[bytes, list[bytes]]:
    """Lay out named outputs, row i for picture i: the JSON, and the binary tensors that follow it."""
    wanted = asking.outputs or [(name, asking.binary) for name in columns]
    tensors, outputs = [], []
    for name, binary in wanted:
        rows = columns[name]
        said: dict[str, Any]
        if name == "result":
            texts = [orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY) for row in rows]
            said = {"name": name, "datatype": "BYTES", "shape": [len(texts)]}
            raw = b"".join(len(text).to_bytes(4, "little") + text for text in texts) if binary else b""
            data: Any = None if binary else [text.decode() for text in texts]
        else:
            if len({row.shape for row in rows}) > 1:
                raise BadInput(
                    f"output {name}", "holds as many rows as objects were found, and these pictures differ",
                    hint="ask for one picture at a time",
                )  # fmt: skip
            array = np.stack(rows) if len(rows) > 1 else rows[0][None]
            said = {"name": name, "datatype": NAMES[array.dtype], "shape": list(array.shape)}
            raw = array.tobytes() if binary else b""
            data = None if binary else np.ascontiguousarray(array).reshape(-1)
        if binary:
            said["parameters"] = {"binary_data_size": len(raw)}
            tensors.append(raw)
        else:
            said["data"] = data
        outputs.append(said)
    response: dict[str, Any] = {
        "model_name": served.name,
        "model_version": served.version,
        "outputs": outputs,
    }
    if asking.id:
        response["id"] = asking.id
    return orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY), tensors


def metadata(served: Served, versions: Sequence[str]) -> dict[str, Any]:
    """What a model takes and gives, in the protocol's words."""
    height, width = served.info.preprocess.size
    return {
        "name": served.name,
        "versions": list(versions),
        "platform": "okulo_onnx",
        "inputs": [
            {"name": "image", "datatype": "UINT8", "shape": [-1, -1, 3]},
            {"name": "pixels", "datatype": "FP32", "shape": [-1, 3, height, width]},
        ],
        "outputs": [_described(each) for each in served.outputs],
    }


def _described(output: Output) -> dict[str, Any]:
    return {"name": output.name, "datatype": NAMES[output.dtype], "shape": [-1, *output.shape]}
