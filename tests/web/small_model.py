"""A small model file without torch, and sample pictures to ask it of."""

import zipfile
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from okulo.core.model import ModelInfo, Preprocess, Threshold
from okulo.export.picture_graph import picture_graph
from okulo.io.images import decode, encode_jpeg
from okulo.io.samples import find_sample
from okulo.runtime.graph import write_model
from okulo.runtime.modelfile import load

CLASSES = ("animal", "building", "flower", "food", "tool", "toy", "vehicle", "zebra <b>")


def network(
    preprocess: Preprocess, seed: int, scale: float = 1.0, shift: np.ndarray | None = None
) -> ModelProto:
    """A small graph of random weights, with the pre-processing every model file has."""
    rng = np.random.default_rng(seed)
    nodes, stored = picture_graph(preprocess)

    def weights(name: str, *shape: int) -> str:
        spread = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
        stored.append(numpy_helper.from_array((rng.normal(size=shape) * spread).astype(np.float32), name))
        return name

    def add(kind: str, inputs: list[str], to: str, **attributes: object) -> None:
        nodes.append(helper.make_node(kind, inputs, [to], name=to, **attributes))

    before = "pixels"
    for index, (wide, broad) in enumerate([(3, 16), (16, 32), (32, 64)]):
        kernel = [weights(f"w{index}", broad, wide, 3, 3), weights(f"b{index}", broad)]
        add("Conv", [before, *kernel], f"c{index}", strides=[2, 2], pads=[1, 1, 1, 1])
        add("Relu", [f"c{index}"], f"r{index}")
        before = f"r{index}"
    add("GlobalAveragePool", [before], "pooled")
    add("Flatten", ["pooled"], "embedding")
    stored.append(numpy_helper.from_array(np.float32(scale), "scale"))
    moved = np.zeros(len(CLASSES)) if shift is None else shift
    stored.append(numpy_helper.from_array(moved.astype(np.float32), "shift"))
    add("MatMul", ["embedding", weights("last", 64, len(CLASSES))], "raw")
    add("Mul", ["raw", "scale"], "scaled")
    add("Sub", ["scaled", "shift"], "logits")
    add("Softmax", ["logits"], "probabilities", axis=1)
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["h", "w", 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(CLASSES)])],
        stored,
        value_info=[helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, *preprocess.size])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def spread_out(path: Path, info: ModelInfo, seed: int) -> None:
    """Write a model whose answers differ well from picture to picture, and are seldom close to a tie."""
    write_model(network(info.preprocess, seed), info, path)
    pictures = [decode(data) for _, data in sample_files(8)]
    logits = np.log(np.stack([each["probabilities"] for each in load(path).predict(pictures)]))
    logits -= logits.mean(axis=1, keepdims=True)
    scale = 2.0 / (logits - logits.mean(axis=0)).std()
    write_model(network(info.preprocess, seed, scale, scale * logits.mean(axis=0)), info, path)


def sample_files(each: int) -> list[tuple[str, bytes]]:
    """Sample pictures as files: grey and colour PNG, and as many of them as JPEG of differing quality."""
    made = []
    for name in ("fashion", "clipart"):
        with zipfile.ZipFile(find_sample(name)) as archive:
            files = sorted(file for file in archive.namelist() if file.endswith(".png"))
            for file in files[:: len(files) // each][:each]:
                made.append((f"{name}-{Path(file).stem}.png", archive.read(file)))
    coloured = [(name, decode(data)) for name, data in made]
    for index, (name, image) in enumerate(coloured):
        made.append((f"{Path(name).stem}.jpg", encode_jpeg(image, quality=60 + index % 40)))
    return made


def two_models(folder: Path) -> dict[str, Path]:
    """Two model files: one that crops and knows when it does not know, and one that stretches."""
    made = {}
    for seed, (name, fit, threshold) in enumerate(
        [("clipart", "crop", Threshold(value=0.5, how="test")), ("sorts", "stretch", None)]
    ):
        shape = Preprocess(size=(32, 32), fit=fit)
        info = ModelInfo(task="classify", classes=CLASSES, preprocess=shape, name=name, threshold=threshold)
        made[name] = folder / f"{name}.onnx"
        spread_out(made[name], info, seed)
    return made
