"""64 clients' pictures through network and footprints: `okulo serve` beside one process and naive FastAPI.

    python benchmarks/footprints_served.py [--seconds 6]

Each request is a JPEG of 520 × 520 pixels with 25 simulated buildings (medium noise); the answer is GeoJSON.
Three networks, from nearly nothing to several times the post-processing, so that the split is seen. "One
process" is a loop: decode, network, footprints, one picture after another, with ONNX Runtime's default
threads and with one; "naive FastAPI" does the same in threads behind HTTP. All on one machine, loopback.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "serving"))

import cv2
import numpy as np
import processes
from segmenter import write_segmenter

from machine import read_results, write_results
from okulo.apps.footprints.simulate import simulate

SIDE = 520
HERE = Path(__file__).parent / "serving"
NETWORKS = {"tiny": (1, 4), "small": (3, 12), "medium": (6, 24)}
"""Layers and channels."""
LOOP = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import numpy as np, onnxruntime as ort, simplejpeg
from one_process import footprints, make, stage_parts
data = open(sys.argv[3], "rb").read()
work = make(sys.argv[2], int(sys.argv[4]))
for _ in range(3): text = work(data)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[2], options)
image = simplejpeg.decode_jpeg(data)
def cpu_ms(call, n=12):
    call()
    began = time.process_time()
    for _ in range(n): call()
    return (time.process_time() - began) / n * 1e3
mask = session.run(["masks"], {"image": image})[0][0, 0]
split = {"decode": cpu_ms(lambda: simplejpeg.decode_jpeg(data)),
    "network": cpu_ms(lambda: session.run(["masks"], {"image": image})),
    "footprints": cpu_ms(lambda: footprints(mask)),
    **{f"the stage: {part}": cpu_ms(call) for part, call in stage_parts(mask).items()}}
times, began, cpu = [], time.perf_counter(), time.process_time()
while time.perf_counter() - began < float(sys.argv[5]):
    one = time.perf_counter(); work(data); times.append(time.perf_counter() - one)
took = time.perf_counter() - began
print(json.dumps({"rps": len(times) / took, "server_cpu_ms": (time.process_time() - cpu) / len(times) * 1e3,
    "p50_ms": np.median(times) * 1e3, "p99_ms": np.quantile(times, 0.99) * 1e3, "split_cpu_ms": split,
    "buildings": text.count('"Feature"')}))
"""


def picture() -> bytes:
    """A network's picture: the probabilities of a scene as grey."""
    scene = simulate(25, noise="medium", rng=np.random.default_rng(5))
    grey = (scene.probability * 255).round().astype(np.uint8)
    assert grey.shape == (SIDE, SIDE)
    return bytes(cv2.imencode(".jpg", cv2.merge([grey] * 3), [cv2.IMWRITE_JPEG_QUALITY, 95])[1])


def request(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def loop(model: Path, jpeg: Path, threads: int, seconds: float) -> dict[str, Any]:
    """One process, one picture after another."""
    command = [sys.executable, "-c", LOOP, str(HERE), str(model), str(jpeg), str(threads), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def post(port: int, path: str, body: bytes) -> dict[str, Any] | None:
    """The answer as JSON, None while there is none."""
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", path, body, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        said: dict[str, Any] | None = json.loads(answer.read()) if answer.status == 200 else None
        return said
    except OSError:
        return None


def served(
    command: list[str], port: int, path: str, jpeg: bytes, folder: Path, seconds: float
) -> dict[str, Any]:
    """Start a server, see that it answers with all buildings, load it with 64 clients."""
    log, asked = folder / "server.log", folder / "request"
    asked.write_bytes(request(path, jpeg))
    with processes.running(command, log) as process:
        end = time.monotonic() + 60
        while (answer := post(port, path, jpeg)) is None:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(log.read_text()[-500:])
            time.sleep(0.1)
        found = answer["answers"][0]["result"] if "answers" in answer else answer
        said = processes.load(port, asked, 64, seconds, process.pid)
        said["buildings"] = len(found["features"])
    return said


def measure(name: str, folder: Path, seconds: float, port: int) -> dict[str, Any]:
    """All ways with one network."""
    model = write_segmenter(folder / f"{name}.onnx", SIDE, *NETWORKS[name])
    jpeg = folder / "picture.jpg"
    jpeg.write_bytes(picture())
    rows = {
        "one process, default threads": loop(model, jpeg, 0, seconds),
        "one process, one thread": loop(model, jpeg, 1, seconds),
    }
    okulo = [sys.executable, "-m", "okulo.cli.main", "serve", str(model), "--postprocess", "footprints"]
    peer = [sys.executable, str(HERE / "peer_footprints.py")]
    ways = {
        "naive FastAPI": ([*peer, str(port), str(model), "0"], "/predict"),
        "naive FastAPI, one thread a run": ([*peer, str(port + 1), str(model), "1"], "/predict"),
    }
    for k, (label, options) in enumerate(
        {
            "okulo, 2 worker processes": ("--post-workers", "2"),
            "okulo, two networks, batches of 2": (
                *("--post-workers", "2", "--workers", "2", "--threads", "1", "--batch-size", "2"),
            ),
            "okulo, threads": ("--post-workers", "2", "--post-threads"),
        }.items()
    ):
        command = [*okulo, *options, "--port", str(port + 2 + k)]
        ways[label] = (command, f"/v1/models/{name}/predict")
    for k, (label, (command, path)) in enumerate(ways.items()):
        rows[label] = served(command, port + k, path, jpeg.read_bytes(), folder, seconds)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument(
        "--only", choices=("", *NETWORKS), default="", help="one network; adds to the results"
    )
    args = parser.parse_args()
    said = read_results("footprints-served") if args.only else {}
    with tempfile.TemporaryDirectory() as folder:
        for k, name in enumerate([args.only] if args.only else NETWORKS):
            said[name] = measure(name, Path(folder), args.seconds, 9950 + 10 * k)
            split = said[name]["one process, one thread"]["split_cpu_ms"]
            print(f"\n{name}: CPU-ms a picture " + ", ".join(f"{k} {v:.1f}" for k, v in split.items()))
            for label, row in said[name].items():
                ratio = row["rps"] / said[name]["one process, default threads"]["rps"]
                others = row.get("others_cores", 0)
                print(
                    f"  {label:32} {row['rps']:6.1f} a second ({ratio:4.2f} ×)"
                    f"  CPU-ms {row['server_cpu_ms']:6.1f}"
                    f"  p50 {row['p50_ms']:6.0f}  p99 {row['p99_ms']:6.0f} ms"
                    f"  {row['buildings']} buildings"
                    + (f"  others {others:.1f} cores" if others > 0.1 else ""),
                    flush=True,
                )
    write_results("footprints-served", said)


if __name__ == "__main__":
    main()
