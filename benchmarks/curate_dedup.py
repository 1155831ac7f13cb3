"""`okulo dedup` on real pictures with planted copies, beside imagededup and a plain embedding threshold.

python benchmarks/curate_dedup.py --model lite0.okulo.onnx --prepare      (plants copies, embeds; untimed)
python benchmarks/curate_dedup.py --model lite0.okulo.onnx --peers /tmp/peers_dedup/bin/python

`--methods` runs some of the methods and leaves the others' figures as they are. Judged on pictures held apart
from those the verifier was fitted on, and on seeds it never saw (see `curate_truth.py` for how the truth was
decided). Writes `benchmarks/results/curate-dedup.json`.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from curate_dedup_set import NEIGHBOURS, embedded
from curate_truth import Truth, plant
from machine import read_results, write_results
from okulo.algo.graphs import connected_components
from okulo.curate.dedup import DedupParams, run
from okulo.curate.duplicates.candidates import nearest, whiten

SAME = Path(__file__).with_name("curate_same.json")


def pictures(truth: Truth, looked_at: bool) -> np.ndarray:
    """The truth's picture numbers; with `looked_at` also what eyes found to be one picture is one."""
    if not looked_at:
        return truth.picture
    named = json.loads(SAME.read_text())
    first = dict(zip(truth.source, truth.picture))
    pairs = [
        (first[a], first[b])
        for a, b in [*named["same"], *named.get("judged", [])]
        if a in first and b in first
    ]
    joined = connected_components(int(truth.picture.max()) + 1, np.array(pairs, np.int64).reshape(-1, 2))
    return joined[truth.picture]


def judge(truth: Truth, group: np.ndarray, kept: np.ndarray, looked_at: bool) -> dict[str, object]:
    """Pairs after grouping: precision, recall, F1; recall by kind; pictures of which none is kept."""
    picture = pictures(truth, looked_at)
    both = _pairs(np.unique(np.stack([picture, group]), axis=1, return_counts=True)[1])
    precision, recall = both / max(1, _pairs(np.bincount(group))), both / max(1, _pairs(np.bincount(picture)))
    first = {}
    for number, (one, kind) in enumerate(zip(truth.picture.tolist(), truth.kind)):
        if kind == "natural":
            first.setdefault(one, number)
    kinds: dict[str, list[bool]] = {}
    for number, (one, kind) in enumerate(zip(truth.picture.tolist(), truth.kind)):
        if number != first[one]:
            kinds.setdefault(kind, []).append(bool(group[number] == group[first[one]]))
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(1e-9, precision + recall),
        "lost": len(set(picture.tolist())) - len(set(picture[kept].tolist())),
        "kinds": {kind: float(np.mean(kinds[kind])) for kind in sorted(kinds)},
    }


def _pairs(sizes: np.ndarray) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def ours(truth: Truth, model: Path | None, seed: int, plot: Path | None = None) -> dict[str, object]:
    """Write the table, run `okulo dedup` as a user would, read its columns."""
    with tempfile.TemporaryDirectory() as folder:
        table, output = Path(folder) / "items.parquet", Path(folder) / "out.parquet"
        frame = pl.DataFrame(
            {"id": [_hash(f) for f in truth.files()], "path": [str(f) for f in truth.files()]}
        )
        if model is not None:
            vectors = embedded(truth, model)
            frame = frame.with_columns(
                pl.Series("embedding", vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))
            )
        frame.write_parquet(table)
        busy = time.process_time()
        report = run(DedupParams(items=table, output=output, mirrored=True, seed=seed, plot=plot))
        busy = time.process_time() - busy
        made = pl.read_parquet(output)
        links = pl.read_parquet(output.with_name("out.duplicates.parquet"))
    group, kept = made["group"].to_numpy(), made["keep"].to_numpy()
    return {
        "by rule": judge(truth, group, kept, looked_at=False),
        "looked at": judge(truth, group, kept, looked_at=True),
        "joined": _joined(truth, group),
        "threshold": report.threshold,
        "pairs": report.pairs,
        "pair_ms": report.pair_ms,
        "whole_pair_ms": busy * 1e3 / report.pairs,
        "pictures_per_cpu_s": len(frame) / busy,
        "pictures_per_s": report.per_second,
        "findings": dict(links["kind"].value_counts().rows()),
    }


def _hash(file: Path) -> str:
    import hashlib

    return hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()


def _joined(truth: Truth, group: np.ndarray) -> list[list[str]]:
    """Different natural pictures that were put into one group: to be looked at."""
    frame = pl.DataFrame({"group": group, "picture": truth.picture, "source": truth.source})
    mixed = frame.group_by("group").agg(
        pl.col("source").unique().sort(), pl.col("picture").n_unique().alias("n")
    )
    return mixed.filter(pl.col("n") > 1)["source"].to_list()


def by_pairs(truth: Truth, pairs: np.ndarray) -> dict[str, object]:
    """Judge a method that only gives pairs: groups by connected components, the first of each kept."""
    group = connected_components(len(truth.names), pairs.reshape(-1, 2))
    kept = np.zeros(len(group), bool)
    kept[np.unique(group, return_index=True)[1]] = True
    return {"by rule": judge(truth, group, kept, False), "looked at": judge(truth, group, kept, True)}


def plain_threshold(truth: Truth, vectors: np.ndarray, threshold: float) -> dict[str, object]:
    """Whitened embeddings and nothing else: neighbours above a cosine."""
    pairs, cosine = nearest(whiten(vectors, np.random.default_rng(0)), NEIGHBOURS)
    return {**by_pairs(truth, pairs[cosine >= threshold]), "threshold": threshold}


def best_threshold(truth: Truth, vectors: np.ndarray) -> float:
    """The cosine that is best on the tuning part."""
    tried = np.arange(0.5, 0.96, 0.025)
    scores = [plain_threshold(truth, vectors, float(t))["looked at"]["f1"] for t in tried]  # type: ignore[index]
    return float(tried[int(np.argmax(scores))])


def peer(truth: Truth, python: str, name: str) -> dict[str, object]:
    """imagededup at its default distance, in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        for file in truth.files():
            (Path(folder) / file.name).symlink_to(file)
        script = str(Path(__file__).with_name("peer_imagededup.py"))
        done = subprocess.run([python, script, folder, name], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout[done.stdout.index('{"pairs"') :])
    number = {file.name: index for index, file in enumerate(truth.files())}
    pairs = np.array([[number[a], number[b]] for a, b in said["pairs"]], np.int64)
    return {**by_pairs(truth, pairs), "pictures_per_s": len(truth.names) / said["seconds"]}


def grouping(pairs: int = 10_000_000, nodes: int = 1_000_000) -> dict[str, float]:
    """Connected components of random pairs: seconds of CPU, and megabytes beside the pairs."""
    import resource

    rng = np.random.default_rng(0)
    given = rng.integers(0, nodes, (pairs, 2), dtype=np.int32)
    connected_components(2, given[:0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, busy = time.perf_counter(), time.process_time()
    connected_components(nodes, given)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": time.perf_counter() - start,
        "cpu_s": time.process_time() - busy,
        "peak_mb": after / 1e3,
        "more_mb": (after - before) / 1e3,
    }


def show(name: str, result: dict[str, object]) -> None:
    for how in ("by rule", "looked at"):
        said = result[how]
        worst = min(said["kinds"], key=said["kinds"].get)  # type: ignore[index, call-overload]
        print(
            f"{name:28} {how:10} P {said['precision']:.4f}  R {said['recall']:.4f}  F1 {said['f1']:.4f}  "  # type: ignore[index]
            f"lost {said['lost']}  worst kind {worst} {said['kinds'][worst]:.3f}"  # type: ignore[index]
        )


METHODS = ("okulo", "descriptor", "threshold", "PHash", "DHash")


def judged(method: str, truth: Truth, chosen: argparse.Namespace, seed: int) -> dict[str, object]:
    """What one method found in a planted set."""
    if method == "okulo":
        return ours(truth, chosen.model, seed, chosen.plot)
    if method == "descriptor":
        return ours(truth, None, seed)
    if method == "threshold":
        tune = plant("tune", 1, 2400)
        cosine = best_threshold(tune, embedded(tune, chosen.model))
        return plain_threshold(truth, embedded(truth, chosen.model), cosine)
    return peer(truth, chosen.peers, method)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="`okulo backbone efficientnet-lite0`")
    parser.add_argument("--peers", default="", help="python of an environment with imagededup")
    parser.add_argument("--seeds", type=int, nargs="+", default=[201])
    parser.add_argument("--pictures", type=int, default=2400)
    parser.add_argument("--grouping", action="store_true", help="time grouping 10 million pairs, too")
    parser.add_argument("--methods", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--plot", type=Path, help="keep the plot of the scores here")
    parser.add_argument("--prepare", action="store_true", help="plant and embed, and stop")
    chosen = parser.parse_args()
    truths = {seed: plant("judge", seed, chosen.pictures) for seed in chosen.seeds}
    if chosen.prepare:
        for truth in (plant("tune", 1, 2400), *truths.values()):
            embedded(truth, chosen.model)
        return
    if chosen.grouping:
        said = grouping()
        print("10 M pairs over 1 M items:", {k: round(v, 2) for k, v in said.items()})
        keep({"grouping": said})
    for seed, truth in truths.items():
        distinct = len(set(truth.picture.tolist()))
        print(f"seed {seed}: {distinct:,} pictures, {len(truth.names):,} files")
        for method in chosen.methods:
            if method in ("PHash", "DHash") and not chosen.peers:
                continue
            found = judged(method, truth, chosen, seed)
            show(method, found)
            keep({f"seed {seed}": {"pictures": distinct, "files": len(truth.names), method: found}})


def keep(new: Mapping[str, Mapping[str, object]]) -> None:
    """Put these figures among those that are kept, as they are by now: another run may have added some."""
    results = read_results("curate-dedup")
    for section, figures in new.items():
        results[section] = {**results.get(section, {}), **figures}
    write_results("curate-dedup", results)


if __name__ == "__main__":
    main()
