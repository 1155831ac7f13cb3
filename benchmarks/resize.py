"""okulo's resizing beside torch's, Pillow's and ONNX Runtime's: which bytes differ, and the time of each.

python benchmarks/resize.py     (half a minute; CPU time of one thread, pictures of noise to 224 × 224)
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before any library makes its threads

import time
from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from machine import write_results
from okulo.algo.resize import resize
from okulo.algo.resize_plain import plain_pixels
from okulo.core.model import Preprocess
from okulo.export.picture_graph import picture_graph

SIDE = 224
SIZES = ((480, 640), (1281, 1920), (375, 500), (150, 130))
WHOLE = Preprocess(size=(SIDE, SIDE), mean=(0.0, 0.0, 0.0), std=(1 / 255, 1 / 255, 1 / 255))
"""`pixels` are bytes."""
Bytes = Callable[[np.ndarray], np.ndarray]


def session(nodes: list, constants: list) -> Bytes:
    graph = helper.make_graph(
        nodes,
        "resize",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["h", "w", 3])],
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    made = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda image: made.run(None, {"image": image})[0][0]


def onnx_resize(exclude_outside: int) -> Bytes:
    """What an exporter would write: ONNX's own Resize, rounded."""
    kept = {"mode": "linear", "antialias": 1, "exclude_outside": exclude_outside}
    nodes = [
        helper.make_node("Cast", ["image"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["wide"], ["planes"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", ["planes", "first"], ["one"]),
        helper.make_node("Resize", ["one", "", "", "sizes"], ["small"], **kept),
        helper.make_node("Round", ["small"], ["pixels"]),
    ]
    constants = {"first": [0], "sizes": [1, 3, SIDE, SIDE]}
    return session(nodes, [numpy_helper.from_array(np.int64(v), k) for k, v in constants.items()])


def torch_resize(image: np.ndarray) -> np.ndarray:
    planes = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(planes, (SIDE, SIDE), mode="bilinear", antialias=True)
    return small.round()[0].numpy()


def pillow(image: np.ndarray) -> np.ndarray:
    small = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1)


def cpu_ms(call: Callable[[], object], rounds: int = 15) -> float:
    call(), call()
    times = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return float(np.median(times)) * 1e3


def main() -> None:
    torch.set_num_threads(1)
    table = np.tile(np.arange(256, dtype=np.float32), (3, 1))
    ways: dict[str, Bytes] = {
        "okulo, compiled": lambda image: resize(image, (SIDE, SIDE)).transpose(2, 0, 1),
        "okulo, numpy": lambda image: plain_pixels(image, WHOLE, table),
        "okulo, the file's graph": session(*picture_graph(WHOLE)),
        "torch, antialias": torch_resize,
        "Pillow, bilinear": pillow,
        "ONNX Resize, exclude_outside": onnx_resize(1),
        "ONNX Resize, as it is by default": onnx_resize(0),
    }
    rng = np.random.default_rng(0)
    said: dict[str, dict[str, dict[str, float]]] = {}
    for height, width in SIZES:
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        ours, theirs = (np.rint(ways[k](image)) for k in ("okulo, compiled", "torch, antialias"))
        rows = said[f"{width} × {height}"] = {}
        print(f"\n{width} × {height}: differs from okulo's · from torch's, share of bytes (levels at most)")
        for name, call in ways.items():
            made = np.rint(call(image))
            row = rows[name] = {"cpu_ms": cpu_ms(lambda call=call, image=image: call(image))}
            for whose, other in (("okulo", ours), ("torch", theirs)):
                apart = np.abs(made - other)
                row[f"differs from {whose}"] = float((apart > 0).mean())
                row[f"levels from {whose}"] = float(apart.max())
            print(
                f"  {name:34} {row['differs from okulo']:8.4%} ({row['levels from okulo']:.0f})"
                f"  {row['differs from torch']:8.4%} ({row['levels from torch']:.0f}) {row['cpu_ms']:7.2f} ms"
            )
    write_results("resize", said)


if __name__ == "__main__":
    main()
