"""How much of the bare network's speed is left when `okulo predict` turns picture files into a table?

Every way runs in a process of its own, all of them in turn, several rounds; medians and ratios are reported.
Timed on an idle machine only: `flock /tmp/okulo-bench.lock python benchmarks/infer.py`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from machine import write_results

SIZE = 224
MODELS = {"resnet18": "resnet18", "lite0": "tf_efficientnet_lite0"}
WAYS = {
    "predict": "okulo predict, ONNX Runtime: files in, table out",
    "ort": "ONNX Runtime, bare loop over ready batches",
    "ort-apart": "the same, one thread a core, each its own batches",
    "predict-openvino": "okulo predict, OpenVINO f32",
    "openvino": "OpenVINO f32, bare loop",
    "predict-openvino-bf16": "okulo predict, OpenVINO bf16",
    "openvino-bf16": "OpenVINO bf16, bare loop",
    "predict-int8": "okulo predict, ONNX Runtime int8",
    "ort-int8": "ONNX Runtime int8, bare loop",
    "torch": "PyTorch eager, bare loop",
    "timm": "timm's way: DataLoader, its transforms, eager: files in, list out",
}
PAIRS = {
    "predict": "ort",
    "predict-openvino": "openvino",
    "predict-openvino-bf16": "openvino-bf16",
    "predict-int8": "ort-int8",
    "timm": "torch",
}


def prepare(folder: Path, name: str, count: int) -> None:
    """Write JPEG files, the model file, its int8 form and the run folder."""
    import timm
    import torch

    from okulo.algo.resize import resize
    from okulo.core.model import ModelInfo, Preprocess
    from okulo.export.network_graph import join, network_graph
    from okulo.export.quantise import to_int8
    from okulo.export.write import write
    from okulo.io.images import decode, encode_jpeg
    from okulo.nets.build import build, describe
    from okulo.nets.bundle import Bundle, save_bundle
    from okulo.runtime.graph import write_model
    from okulo.runtime.modelfile import load

    del timm
    (folder / "in").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        coarse = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        (folder / "in" / f"{index:05}.jpg").write_bytes(encode_jpeg(resize(coarse, (375, 500))))
    torch.manual_seed(0)
    architecture = describe(MODELS[name], 1000)
    classes = tuple(f"class {index}" for index in range(1000))
    info = ModelInfo(task="classify", classes=classes, preprocess=Preprocess(size=(SIZE, SIZE)))
    bundle = Bundle(build(architecture).eval(), architecture, info)
    save_bundle(folder / "run", bundle)
    write(bundle, folder / "m.onnx")
    file = load(folder / "m.onnx")
    images = [decode(each.read_bytes()) for each in sorted((folder / "in").iterdir())[:16]]
    network, _ = network_graph(bundle)
    small = to_int8(network, (file.prepare(image)[None] for image in images))
    write_model(join(small, info), info, folder / "m8.onnx")


def child(folder: Path, way: str, batch: int, count: int) -> dict[str, float]:
    """Run one way once, after warming up; wall and CPU seconds a picture."""
    once = way_of(folder, way, batch, count)
    once(True)
    wall, cpu = time.perf_counter(), _cpu()
    report = once(False)
    if way.startswith("predict"):  # the model's loading is left out, as in the bare loops
        return {"wall": report.seconds / count, "cpu": report.cpu_seconds / count}
    return {"wall": (time.perf_counter() - wall) / count, "cpu": (_cpu() - cpu) / count}


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def way_of(folder: Path, way: str, batch: int, count: int) -> Callable[[bool], Any]:
    """Make ready what is timed; called with True it warms up."""
    if way.startswith("predict"):
        return _predict(folder, way.removeprefix("predict").removeprefix("-"), batch)
    if way == "timm":
        return _timm(folder, batch)
    rng = np.random.default_rng(0)
    pixels = rng.standard_normal((batch, 3, SIZE, SIZE), dtype=np.float32)
    if way == "torch":
        from okulo.nets.bundle import load_bundle
        from okulo.nets.profile import TorchContender

        answer = TorchContender(load_bundle(folder / "run")).answer
    else:
        answer = _bare(folder, way)
    if way == "ort-apart":
        return _apart(answer, pixels, count)
    return lambda warm: [answer(pixels) for _ in range(1 if warm else count // batch)]


def _bare(folder: Path, way: str) -> Callable[[np.ndarray], object]:
    """An engine as its own documentation shows it, with its own default threads."""
    from okulo.runtime.graph import read_model, split

    model = folder / ("m8.onnx" if way.endswith("int8") else "m.onnx")
    network = split(read_model(model))[1].SerializeToString()
    if way.startswith("ort"):
        import onnxruntime as ort

        options = ort.SessionOptions()
        if way == "ort-apart":
            options.intra_op_num_threads = 1
        session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        return lambda pixels: session.run(None, {"pixels": pixels})
    import openvino

    core = openvino.Core()
    hint = {"INFERENCE_PRECISION_HINT": "bf16" if way.endswith("bf16") else "f32"}
    compiled = core.compile_model(core.read_model(network, b""), "CPU", hint)
    return lambda pixels: compiled(pixels)


def _apart(
    answer: Callable[[np.ndarray], object], pixels: np.ndarray, count: int
) -> Callable[[bool], object]:
    from concurrent.futures import ThreadPoolExecutor

    def once(warm: bool) -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(answer, [pixels] * (2 if warm else count // len(pixels))))

    return once


def _predict(folder: Path, engine: str, batch: int) -> Callable[[bool], object]:
    from okulo.runtime.predict import PredictParams, run

    files = tuple(sorted((folder / "in").iterdir()))
    model = folder / ("m8.onnx" if engine == "int8" else "m.onnx")

    def once(warm: bool) -> object:
        return run(
            PredictParams(
                model=model,
                paths=files[:8] if warm else (folder / "in",),
                output=folder / "answers.parquet",
                engine="onnxruntime" if engine in ("", "int8") else engine,
                batch=batch,
            )
        )

    return once


def _timm(folder: Path, batch: int) -> Callable[[bool], object]:
    import torch
    from PIL import Image
    from timm.data import create_transform
    from torch.utils.data import DataLoader, Dataset

    from okulo.nets.bundle import load_bundle

    network = load_bundle(folder / "run").network
    transform = create_transform((3, SIZE, SIZE), interpolation="bilinear", crop_pct=1.0)

    class Files(Dataset[torch.Tensor]):
        def __init__(self, files: list[Path]) -> None:
            self.files = files

        def __len__(self) -> int:
            return len(self.files)

        def __getitem__(self, index: int) -> torch.Tensor:
            return transform(Image.open(self.files[index]).convert("RGB"))

    @torch.inference_mode()
    def once(warm: bool) -> object:
        files = sorted((folder / "in").iterdir())
        loader = DataLoader(Files(files[:8] if warm else files), batch_size=batch, num_workers=2)
        return [row for pixels in loader for row in network(pixels)["logits"].softmax(1).tolist()]

    return once


def compare(folder: Path, ways: list[str], batch: int, count: int, rounds: int) -> dict[str, Any]:
    """Run every way in turn, `rounds` times."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            command = [sys.executable, __file__, "--child", way, "--folder", str(folder)]
            done = subprocess.run(
                [*command, "--batch", str(batch), "--count", str(count)],
                capture_output=True,
                text=True,
                check=True,
            )
            found[way].append(json.loads(done.stdout.splitlines()[-1]))
    medians = {
        way: {
            "pictures_per_s": 1 / statistics.median(each["wall"] for each in runs),
            "cpu_ms": 1e3 * statistics.median(each["cpu"] for each in runs),
            "spread": max(each["wall"] for each in runs) / min(each["wall"] for each in runs),
        }
        for way, runs in found.items()
    }
    cpu_ratios = {
        f"{one} / {other}": medians[other]["cpu_ms"] / medians[one]["cpu_ms"]
        for one, other in PAIRS.items()
        if one in found and other in found
    }
    ratios = {
        f"{one} / {other}": statistics.median(b["wall"] / a["wall"] for a, b in zip(found[one], found[other]))
        for one, other in PAIRS.items()
        if one in found and other in found
    }
    return {"medians": medians, "ratios": ratios, "cpu_ratios": cpu_ratios}


def show(name: str, said: dict[str, Any]) -> None:
    print(f"\n{name}, {SIZE} px\n{'':58} pictures/s  CPU ms  spread")
    for way, each in said["medians"].items():
        print(f"{WAYS[way]:58} {each['pictures_per_s']:10.1f} {each['cpu_ms']:7.2f} {each['spread']:7.2f}")
    for pair, ratio in said["ratios"].items():
        print(f"  {pair}: {ratio:.2f} by the clock, {said['cpu_ratios'][pair]:.2f} by CPU time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(given.folder, given.child, given.batch, given.count)))
        return
    results = {}
    for name in given.models.split(","):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            prepare(folder, name, given.count)
            results[name] = compare(folder, given.ways.split(","), given.batch, given.count, given.rounds)
            show(name, results[name])
    load = os.getloadavg()[0]
    path = write_results("infer", {"batch": given.batch, "pictures": given.count, "load": load, **results})
    print(f"\nload {load:.1f} at the end; written to {path}")


if __name__ == "__main__":
    main()
