"""Serving the same network by okulo and by others, on loopback: speed beside naive FastAPI, and CPU time.

The machine may be noisy: every repetition runs all servers, each alone, and the ratio to naive is taken
within it. Peers run from their own environments (see `peers.txt`); what is not installed is skipped with its
reason.

    python benchmarks/serve.py [--part peers|overload|post|rest] [--repetitions 3] [--seconds 3]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "serving"))

import cv2
import numpy as np
import orjson
import processes

import machine

PEERS = "/tmp/peers/bin/python"
PEERS_DEBIAN = "/tmp/peers-debian/bin/python"
HERE = Path(__file__).parent / "serving"
CASES = (("tensor", 1), ("tensor", 16), ("tensor", 64), ("jpeg", 16))
PORT = 9300


@dataclass(frozen=True)
class Server:
    """How one is started and asked."""

    name: str
    python: str
    script: str
    options: tuple[str, ...] = ()
    style: str = "raw"
    environment: tuple[tuple[str, str], ...] = ()

    def command(self, port: int, folder: Path, network: str) -> list[str]:
        if self.script == "okulo":
            model = str(folder / f"{network}.onnx")
            return [self.python, "-m", "okulo.cli.main", "serve", model, "--port", str(port), *self.options]
        return [self.python, str(HERE / self.script), str(port), str(folder), network, *self.options]

    def request(self, payload: str, network: str) -> bytes:
        body = tensor() if payload == "tensor" else picture()
        if self.style == "v2":
            if payload == "jpeg":
                return http(f"/v1/models/{network}/predict?top=1", body, "image/jpeg")
            return v2(f"/v2/models/{network}/infer", "pixels", "FP32", [1, 3, 64, 64], body)
        if self.style == "triton":
            if payload == "jpeg":
                data = len(body).to_bytes(4, "little") + body
                return v2("/v2/models/jpeg/infer", "picture", "BYTES", [1, 1], data)
            return v2("/v2/models/tensor/infer", "pixels", "FP32", [1, 3, 64, 64], body)
        if self.style == "form":
            head = b'--b\r\nContent-Disposition: form-data; name="content"; filename="x"\r\n\r\n'
            return http("/predict", head + body + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")
        return http("/" if self.style == "root" else f"/{payload}", body, "application/octet-stream")


SERVERS = (
    Server("naive", PEERS, "peer_naive.py", ("default",)),
    Server("naive, 1 thread", PEERS, "peer_naive.py", ("1",)),
    Server("okulo", sys.executable, "okulo", style="v2"),
    Server("okulo, workers", sys.executable, "okulo", ("--workers", "2", "--threads", "1"), style="v2"),
    Server("LitServe", PEERS, "peer_litserve.py", style="form"),
    Server("PyTriton", PEERS_DEBIAN, "peer_pytriton.py", style="triton"),
    Server(
        "Ray Serve",
        PEERS,
        "peer_ray.py",
        style="root",
        environment=(("RAY_SERVE_THROUGHPUT_OPTIMIZED", "1"), ("RAY_SERVE_ENABLE_HA_PROXY", "1")),
    ),
)


def tensor() -> bytes:
    return np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32).tobytes()


def picture() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 3), [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def http(path: str, body: bytes, kind: str, more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def v2(path: str, name: str, datatype: str, shape: list[int], data: bytes) -> bytes:
    parameters = {"binary_data_size": len(data)}
    said = {
        "inputs": [{"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}],
        "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
    }
    head = orjson.dumps(said)
    more = f"Inference-Header-Content-Length: {len(head)}\r\n"
    return http(path, head + data, "application/octet-stream", more)


def measure(server: Server, network: str, cases: Any, folder: Path, seconds: float) -> list[dict[str, Any]]:
    """Start one server, run all cases against it, stop it."""
    global PORT
    PORT += 7
    log = folder / "server.log"
    rows = []
    with processes.running(server.command(PORT, folder, network), log, dict(server.environment)) as process:
        processes.wait_up(process, PORT, server.request("tensor", network), log)
        for payload, clients in cases:
            request = folder / "request"
            request.write_bytes(server.request(payload, network))
            said = processes.load(PORT, request, clients, seconds, process.pid)
            said |= {"server": server.name, "network": network, "payload": payload, "clients": clients}
            if set(said["codes"]) - {"200"}:
                print(f"  {server.name}: codes {said['codes']}", flush=True)
            rows.append(said)
    return rows


def bare(folder: Path, network: str) -> float:
    """CPU-milliseconds an image of the network alone, batches of 32, one thread."""
    code = f"""
import time, numpy as np, onnxruntime as ort
o = ort.SessionOptions(); o.intra_op_num_threads = 1
s = ort.InferenceSession({str(folder / f"{network}.network.onnx")!r}, o)
x = np.random.default_rng(0).standard_normal((32, 3, 64, 64)).astype(np.float32)
for _ in range(5): s.run(None, {{"pixels": x}})
t = time.process_time()
for _ in range(30): s.run(None, {{"pixels": x}})
print((time.process_time() - t) / 960 * 1e3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def peers(folder: Path, repetitions: int, seconds: float, only: str, add: bool) -> dict[str, Any]:
    """All servers beside naive; with `add`, further repetitions to those of the last run."""
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    chosen = [each for each in SERVERS if only in each.name or each.name == "naive"]
    if add:
        rows = machine.read_results("serve-peers")["rows"]
        repetitions += (first := 1 + max(row["repetition"] for row in rows))
    for repetition in range(first if add else 0, repetitions):
        for server in chosen:
            if server.name in skipped:
                continue
            try:
                found = measure(server, "half", CASES, folder, seconds)
                found += measure(server, "tiny", (("tensor", 64),), folder, seconds)
            except (OSError, RuntimeError) as error:
                skipped[server.name] = str(error)[-300:]
                print(f"  {server.name}: skipped: {error}", flush=True)
                continue
            rows += [{**each, "repetition": repetition} for each in found]
            print(f"  {repetition + 1}/{repetitions} {server.name}", flush=True)
    loop = {name: bare(folder, name) for name in ("half", "tiny")}
    table = summarise(rows, [each.name for each in chosen if each.name not in skipped], repetitions)
    show(table, loop)
    return {"table": table, "bare_cpu_ms": loop, "skipped": skipped, "rows": rows}


def summarise(rows: list[dict[str, Any]], names: list[str], repetitions: int) -> list[dict[str, Any]]:
    """Median over repetitions; the ratio to naive is taken within each."""
    table = []
    for network, payload, clients in [("half", *case) for case in CASES] + [("tiny", "tensor", 64)]:

        def find(name: str, repetition: int, case: Any = (network, payload, clients)) -> dict[str, Any]:
            return next(
                row
                for row in rows
                if (row["server"], row["repetition"]) == (name, repetition)
                and (row["network"], row["payload"], row["clients"]) == case
            )

        for name in names:
            mine = [find(name, each) for each in range(repetitions)]
            ratios = [row["rps"] / find("naive", each)["rps"] for each, row in enumerate(mine)]
            table.append(
                {
                    "network": network,
                    "payload": payload,
                    "clients": clients,
                    "server": name,
                    "ratio": statistics.median(ratios),
                    "cpu_ms": statistics.median(row["server_cpu_ms"] for row in mine),
                    "rps": statistics.median(row["rps"] for row in mine),
                    "p50_ms": statistics.median(row["p50_ms"] for row in mine),
                    "p99_ms": statistics.median(row["p99_ms"] for row in mine),
                    "others_cores": max(row["others_cores"] for row in mine),
                }
            )
    return table


def show(table: list[dict[str, Any]], loop: dict[str, float]) -> None:
    """Print it."""
    for row in table:
        case = f"{row['network']:5} {row['payload']:6} {row['clients']:3}"
        print(
            f"{case}  {row['server']:16} × naive {row['ratio']:5.2f}  CPU-ms {row['cpu_ms']:6.2f}  "
            f"{row['rps']:7.0f} rps  p50 {row['p50_ms']:6.1f}  p99 {row['p99_ms']:6.1f} ms"
            + (f"  (others kept {row['others_cores']:.1f} cores busy)" if row["others_cores"] > 0.1 else "")
        )
    print("bare loop, batch 32, 1 thread: CPU-ms", {name: round(value, 3) for name, value in loop.items()})


def overload(folder: Path, seconds: float) -> dict[str, Any]:
    """Four times what it can answer: goodput, refusals, memory, and how it is afterwards."""
    server = Server("okulo", sys.executable, "okulo", ("--queue-items", "256"), style="v2")
    port, log, request = 9801, folder / "server.log", folder / "request"
    request.write_bytes(server.request("tensor", "half"))
    with processes.running(server.command(port, folder, "half"), log) as process:
        processes.wait_up(process, port, request.read_bytes(), log)
        before = processes.load(port, request, 64, 8, process.pid)
        memory_before = processes.rss_mb(process.pid)
        said = processes.load(port, request, 1024, seconds, process.pid, rate=4 * before["rps"])
        memory_after = processes.rss_mb(process.pid)
        ready = processes.status(port, "/v2/health/ready")
        after = processes.load(port, request, 64, 8, process.pid)
    capacity = (before["rps"] + after["rps"]) / 2
    sent = sum(said["codes"].values()) / said["seconds"]
    print(f"capacity {before['rps']:.0f} before, {after['rps']:.0f} after; sent {sent:.0f} a second")
    print(f"goodput {said['rps']:.0f} = {said['rps'] / capacity:.2f} of capacity; codes {said['codes']}")
    print(f"refused within p50 {said['refused_p50_ms']:.1f}, p99 {said['refused_p99_ms']:.1f} ms")
    print(f"memory {memory_before:.0f} → {memory_after:.0f} MB; ready {ready}; broken {said['broken']}")
    return {
        "capacity_rps": [before["rps"], after["rps"]],
        "overload": said,
        "goodput_share": said["rps"] / capacity,
        "rss_mb": [memory_before, memory_after],
        "ready_after": ready,
    }


def post(folder: Path) -> dict[str, Any]:
    """One picture of 200 objects at 10 ms each, on W workers."""
    rows = []
    for kind, workers in (("Asleep", 1), ("Asleep", 2), ("Asleep", 4), ("Asleep", 8), ("AtWork", 2)):
        options = ("--postprocess", f"okulo_bench_post:{kind}", "--post-workers", str(workers))
        server = Server("okulo", sys.executable, "okulo", options, style="v2")
        port, log = 9850 + workers, folder / "server.log"
        request = server.request("jpeg", "half")
        environment = {"PYTHONPATH": str(HERE)}
        with processes.running(server.command(port, folder, "half"), log, environment) as process:
            processes.wait_up(process, port, server.request("tensor", "half"), log)
            times = []
            for _ in range(5):
                began = time.perf_counter()
                assert b"200 OK" in processes.ask(port, request, 30)
                times.append(time.perf_counter() - began)
        ms, ideal = 1e3 * statistics.median(times), 200 * 10 / workers
        rows.append({"kind": kind, "workers": workers, "ms": ms, "ideal_ms": ideal, "ratio": ms / ideal})
        print(
            f"200 objects of 10 ms, {kind:7} {workers} workers: {ms:.0f} ms = {ms / ideal:.3f} × ideal",
            flush=True,
        )
    return {"rows": rows}


def rest(folder: Path) -> dict[str, Any]:
    """Start, idle and memory."""
    server = Server("okulo", sys.executable, "okulo", style="v2")
    port, log, request = 9901, folder / "server.log", folder / "request"
    request.write_bytes(server.request("tensor", "half"))
    starts = []
    for _ in range(5):
        began = time.perf_counter()
        with processes.running(server.command(port, folder, "half"), log) as process:
            while processes.status(port, "/v2/health/ready") != 200:
                time.sleep(0.01)
            starts.append((time.perf_counter() - began, processes.cpu_s(process.pid)))
    with processes.running(server.command(port, folder, "half"), log) as process:
        processes.wait_up(process, port, request.read_bytes(), log)
        fresh, before = processes.rss_mb(process.pid), processes.cpu_s(process.pid)
        time.sleep(20)
        idle = (processes.cpu_s(process.pid) - before) / 20
        processes.load(port, request, 64, 5, process.pid)
        loaded = processes.rss_mb(process.pid)
        time.sleep(3)
        rested = processes.rss_mb(process.pid)
    start_s, start_cpu_s = (statistics.median(each) for each in zip(*starts))
    print(f"start {start_s:.2f} s (CPU {start_cpu_s:.2f} s); idle {100 * idle:.2f} % of a core")
    print(f"resident {fresh:.0f} MB, {loaded:.0f} MB after 64 clients, {rested:.0f} MB 3 s later")
    return {
        "start_s": start_s,
        "start_cpu_s": start_cpu_s,
        "idle_share": idle,
        "rss_mb": {"fresh": fresh, "loaded": loaded, "rested": rested},
    }


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=("all", "peers", "overload", "post", "rest"), default="all")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--overload-seconds", type=float, default=30.0)
    parser.add_argument("--only", default="", help="servers whose name holds this, and naive")
    parser.add_argument("--add", action="store_true", help="add repetitions to those of the last run")
    options = parser.parse_args()
    import model

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.make(folder)
        parts = {
            "peers": lambda: peers(folder, options.repetitions, options.seconds, options.only, options.add),
            "overload": lambda: overload(folder, options.overload_seconds),
            "post": lambda: post(folder),
            "rest": lambda: rest(folder),
        }
        for part, run in parts.items():
            if options.part in ("all", part):
                print(f"— {part}", flush=True)
                machine.write_results(f"serve-{part}", {"load_average": list(os.getloadavg()), **run()})


if __name__ == "__main__":
    main()
