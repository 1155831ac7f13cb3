"""Search beside FAISS called directly, what approximate indexes buy, re-ranking, and a photo among a million.

python benchmarks/search.py flat        # exact: 1,000 queries over 100,000 × 512, beside FAISS's flat index
python benchmarks/search.py approximate # HNSW and IVF-PQ over the same
python benchmarks/search.py rerank      # 5,000 gallery items and 500 queries, beside the published procedure
python benchmarks/search.py rerank-100k # 100,000 items: time and memory
python benchmarks/search.py curve       # what 10,000 and 100,000 items cost
python benchmarks/search.py million     # what a million costs, and a photo in → page answer
python benchmarks/search.py hnsw-build  # a graph over a million: minutes on two cores; kept in /var/tmp
python benchmarks/search.py hnsw-ask    # what it costs to ask

Vectors are 60 to a cluster, as near each other as pictures of one thing are. Each part writes
`benchmarks/results/search-<part>.json`. A million of them (2 GB) are kept in /var/tmp between parts.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from machine import write_results
from okulo.search import index as indexes
from okulo.search.engines import build
from okulo.search.exact import nearest, unit
from okulo.search.manifest import Manifest
from okulo.search.rerank import best, distances
from okulo.search.settings import choose, settle

D = 512


def made(n: int, d: int = D, seed: int = 0, noise: float = 0.9) -> np.ndarray:
    """Vectors of length 1, 60 to a cluster."""
    rng = np.random.default_rng(seed)
    middle = np.random.default_rng(7).normal(size=(max(1, 100_000 // 60), d)).astype(np.float32)
    out = np.empty((n, d), np.float32)
    for start in range(0, n, 50_000):
        end = min(n, start + 50_000)
        part = middle[rng.integers(0, len(middle), end - start)]
        out[start:end] = part + noise * rng.standard_normal((end - start, d), np.float32)
        out[start:end] /= np.linalg.norm(out[start:end], axis=1, keepdims=True)
    return out


def made_once(n: int) -> np.ndarray:
    """The same, kept on disk where making them takes long."""
    kept = Path(f"/var/tmp/okulo-search-{n}x{D}.npy")
    if n < 1_000_000:
        return made(n)
    if not kept.is_file():
        np.save(kept, made(n))
    return np.load(kept)


def timed(call: Callable[[], object], rounds: int) -> list[float]:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found[:, :, None] == truth[:, None, :]).any(axis=1).mean())


def memory_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def make_index(folder: Path, kind: str, base: np.ndarray) -> indexes.Index:
    said = Manifest(settings=settle(kind, len(base), D), length=D, model="made")
    names = pl.Series("path", np.arange(len(base))).cast(pl.String) + ".png"
    items = pl.DataFrame({"id": names, "path": names, "split": ["train", "test"] * (len(base) // 2)})
    return indexes.create(folder / f"{kind}.index", said, items, base)


def flat() -> dict[str, object]:
    import faiss

    base, queries = made(100_000), made(1000, seed=1)
    direct = faiss.IndexFlatIP(D)
    direct.add(base)
    with tempfile.TemporaryDirectory() as folder:
        make_index(Path(folder), "flat", base)
        ours = indexes.open_index(Path(folder) / "flat.index")
        assert np.array_equal(ours.nearest(queries, 10).row, direct.search(queries, 10)[1])
        allowed = ours.allowed("split = 'test'")
        rounds: dict[str, list[float]] = {"FAISS flat": [], "okulo": [], "okulo, half allowed": [], "one": []}
        for _ in range(7):
            rounds["FAISS flat"] += timed(lambda: direct.search(queries, 10), 1)
            rounds["okulo"] += timed(lambda: ours.nearest(queries, 10), 1)
            rounds["okulo, half allowed"] += timed(lambda: ours.nearest(queries, 10, allowed), 1)
            rounds["one"] += timed(lambda: ours.nearest(queries[:1], 10), 1)
    median = {name: float(np.median(each)) for name, each in rounds.items()}
    return {"seconds": median, "ratio": median["okulo"] / median["FAISS flat"]}


def approximate() -> dict[str, object]:
    base, queries = made(100_000), made(1000, seed=1)
    exact = float(np.median(timed(lambda: nearest(queries, base, 10), 3)))
    one = float(np.median([t for q in queries[:50] for t in timed(lambda: nearest(q[None], base, 10), 1)]))  # noqa: B023
    truth = nearest(queries, base, 10).row
    rows = []
    codes = settle("ivfpq", len(base), D)
    fewer = replace(codes, probes=max(1, codes.probes // 2))
    for kind, said in (("hnsw", settle("hnsw", len(base), D)), ("ivfpq", codes), ("ivfpq", fewer)):
        wall, cpu = time.perf_counter(), time.process_time()
        engine = build(base, said)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        engine.search(queries[:10], 10)
        batch = float(np.median(timed(lambda: engine.search(queries, 10), 3)))  # noqa: B023
        single = [timed(lambda: engine.search(q[None], 10), 1)[0] for q in queries[:200]]  # noqa: B023
        each = float(np.median(single))
        rows.append({
            "kind": kind, "probes": said.probes, "recall@10": recall(engine.search(queries, 10).row, truth),
            "build_s": wall, "build_cpu_s": cpu, "1000 queries, s": batch, "times exact": exact / batch,
            "one query, ms": 1e3 * each, "pays after queries in batches": wall / (exact - batch) * 1000,
            "pays after single queries": wall / (one - each),
            "bytes a row": engine.memory / len(base),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return {"exact, 1000 queries, s": exact, "exact, one query, ms": 1e3 * one, "rows": rows}


def rerank() -> dict[str, object]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "search"))
    from dense_rerank import dense_rerank

    every = made(5500)
    distances(every[:50], every[50:300])  # compiles
    seconds = timed(lambda: distances(every[:500], every[500:]), 5)
    ours = distances(every[:500], every[500:])
    start = time.perf_counter()
    squared = np.maximum(2 - 2 * (every @ every.T), 0)
    published = dense_rerank(np.sqrt(squared.astype(np.float64)), 500)
    dense = time.perf_counter() - start
    apart = float(np.abs(published - ours).max())
    median = float(np.median(seconds))
    return {"dense_s": dense, "sparse_s": median, "times": dense / median, "largest difference": apart}


def rerank_large(n: int = 100_000, queries: int = 1000) -> dict[str, object]:
    every = made(n + queries)
    distances(every[:50], every[50:300])
    before = memory_gb()
    start = time.perf_counter()
    found = best(every[:queries], every[queries:], 50)
    seconds = time.perf_counter() - start
    assert (found.row >= 0).all()
    return {"items": n, "queries": queries, "seconds": seconds, "gb_before": before, "gb_peak": memory_gb()}


Kinds = tuple[str, ...]


def curve(
    sizes: tuple[int, ...] = (10_000, 100_000), kinds: Kinds = ("flat", "hnsw", "ivfpq")
) -> dict[str, object]:
    rows = []
    queries = made(100, seed=1)
    photo: dict[str, float] = {}
    for n in sizes:
        base = made_once(n)
        truth = nearest(queries, base, 10).row
        for kind in kinds:
            with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
                rows.append(cost(Path(folder), kind, base, queries, truth))
                print(rows[-1], flush=True)
                if n >= 1_000_000 and kind != "flat":
                    photo = _photo(indexes.open_index(Path(folder) / f"{kind}.index"))
                    print(photo, flush=True)
        del base
    return {"curve": rows, "photo_in_answer_out_ms": photo, "gb_peak": memory_gb()}


def cost(
    folder: Path, kind: str, base: np.ndarray, queries: np.ndarray, truth: np.ndarray
) -> dict[str, object]:
    """What one index costs to build and to ask."""
    wall, cpu = time.perf_counter(), time.process_time()
    make_index(folder, kind, base)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"build_s": wall, "build_cpu_s": cpu, **asked(folder, kind, queries, truth)}


def asked(
    folder: Path, kind: str, queries: np.ndarray, truth: np.ndarray, effort: int = 0
) -> dict[str, object]:
    start = time.perf_counter()
    index = indexes.open_index(folder / f"{kind}.index")
    opened = time.perf_counter() - start
    if effort:
        index.engine.settings = replace(index.engine.settings, effort=effort)  # type: ignore[misc]
    few = queries[: 20 if kind == "flat" else 100]
    index.nearest(few, 40)  # what lies on disk comes into memory
    single = [timed(lambda: index.nearest(q[None], 40), 1)[0] for q in few]  # noqa: B023
    return {
        "items": len(index), "kind": kind, "chosen by auto": kind == choose(len(index), D, 4.0).kind,
        "open_s": opened, "query_ms": 1e3 * float(np.median(single)),
        "p95_ms": 1e3 * float(np.quantile(single, 0.95)),
        "recall@10": recall(index.nearest(few, 10).row, truth[: len(few)]),
        "memory_bytes": index.memory,
        "disk_bytes": sum(f.stat().st_size for f in (folder / f"{kind}.index").iterdir()),
    }  # fmt: skip


def million() -> dict[str, object]:
    return curve((1_000_000,), ("ivfpq", "flat"))


GRAPH = Path("/var/tmp/okulo-search-graph")


def hnsw_build() -> dict[str, object]:
    GRAPH.mkdir(exist_ok=True)
    wall, cpu = time.perf_counter(), time.process_time()
    make_index(GRAPH, "hnsw", made_once(1_000_000))
    return {"build_s": time.perf_counter() - wall, "build_cpu_s": time.process_time() - cpu,
            "gb_peak": memory_gb()}  # fmt: skip


def hnsw_ask() -> dict[str, object]:
    queries = made(100, seed=1)
    truth = nearest(queries, made_once(1_000_000), 10).row
    rows = []
    for effort in (64, 256, 1024):
        rows.append({"effort": effort, **asked(GRAPH, "hnsw", queries, truth, effort)})
        print(rows[-1], flush=True)
    photo = _photo(indexes.open_index(GRAPH / "hnsw.index"))
    return {"curve": rows, "photo_in_answer_out_ms": photo, "gb_peak": memory_gb()}


def _photo(index: indexes.Index) -> dict[str, float]:
    """From a posted photo to the JSON answer: decode, the network (Lite0 at 224 px), search, items."""
    import base64
    import json

    from okulo.cli.see import see
    from okulo.io.images import encode_jpeg
    from okulo.web.search.site import Site
    from okulo.web.thumbnails import Thumbnails

    seeing = see(MODEL, "none")
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(seeing.length, D)))[0].astype(np.float32)
    seen = replace(
        seeing, name="made", length=D, predict=lambda images: unit("x", seeing.predict(images) @ turn)
    )
    thumbnails = Thumbnails(index.root, index.root / "cache", max_bytes=1 << 20)
    site = Site(index.folder, seen, thumbnails)
    rng = np.random.default_rng(0)
    times = []
    for _ in range(30):
        slope = np.linspace(0, 255, 640 * 480 * 3).reshape(480, 640, 3)
        image = (slope * rng.uniform(0.3, 1) + rng.integers(0, 40, slope.shape)).clip(0, 255).astype(np.uint8)
        body = json.dumps(
            {"picture": base64.b64encode(encode_jpeg(image)).decode(), "k": 40, "where": "split = 'test'"}
        )
        start = time.perf_counter()
        json.dumps(site.search(json.loads(body)))
        times.append(1e3 * (time.perf_counter() - start))
    return {"median": float(np.median(times[5:])), "p95": float(np.quantile(times[5:], 0.95))}


MODEL = "/tmp/lite0.okulo.onnx"
PARTS: dict[str, Callable[[], dict[str, object]]] = {
    "flat": flat,
    "approximate": approximate,
    "rerank": rerank,
    "rerank-100k": rerank_large,
    "curve": curve,
    "million": million,
    "hnsw-build": hnsw_build,
    "hnsw-ask": hnsw_ask,
}


def main() -> None:
    global MODEL
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument(
        "--model", default=MODEL, help="okulo backbone efficientnet-lite0 -o lite0.okulo.onnx"
    )
    chosen = parser.parse_args()
    MODEL = chosen.model
    said = PARTS[chosen.part]()
    print(said)
    write_results(f"search-{chosen.part}", said)


if __name__ == "__main__":
    main()
