"""Find one vendor's emoji by the other's drawing: the pretrained embedding, and what learning makes of it.

npm pack emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0; unpack to EMOJI/google, …/twitter
python benchmarks/search_emoji.py EMOJI maps              # once: the backbone's maps of all pictures
python benchmarks/search_emoji.py EMOJI train --seed 0    # every pooling × loss (and 1, 2, …)
python benchmarks/search_emoji.py EMOJI table             # all seeds, and every way of ranking on top

40 % of the emoji (with all their skin tones) are queries that nothing was learnt of; the base is all 3,786
drawings of the other vendor. Writes `benchmarks/results/search-emoji.json`.
"""

import argparse
import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch

from machine import write_results
from okulo.core.model import Preprocess
from okulo.core.table import Items
from okulo.export.backbone import PACKAGED, _installed
from okulo.metrics.retrieval import measure as measure_retrieval
from okulo.nets.gem import generalised_mean
from okulo.nets.losses.metric import METRIC_LOSSES
from okulo.nets.pooling import Average
from okulo.search import rerank
from okulo.search.exact import nearest, unit
from okulo.search.rank import Ranking, smoothed, weights
from okulo.train.data import Pictures
from okulo.train.embed import Learning, Source, _decode, embed_all, start
from okulo.train.embed_data import _labelled
from okulo.train.params import POOLINGS, ClassifyParams

SIDE = 128
ORDER = ("gem", "combined", "rmac", "average", "max")
assert set(ORDER) == set(POOLINGS)
LOSSES = ("triplet", "n-pair", "contrastive", "arcface", "sub-centre")
assert set(LOSSES) == set(METRIC_LOSSES)
SPLITS = {"test": 0.4, "val": 0.5}


def emoji(root: Path) -> Items:
    """Both vendors' drawings; emoji (with their skin tones) are split, not pictures."""
    said = json.loads((root / "google/package/emoji.json").read_text())
    rows = []
    for each in said:
        for name in [each["image"], *(v["image"] for v in each.get("skin_variations", {}).values())]:
            for vendor in ("google", "twitter"):
                path = root / vendor / "package/img" / vendor / "64" / name
                if path.is_file():
                    id = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
                    rows.append((id, str(path.relative_to(root)), each["image"], name[:-4], vendor))
    frame = pl.DataFrame(rows, schema=["id", "path", "emoji", "label", "vendor"], orient="row")
    names = sorted(frame["emoji"].unique())
    order = np.random.default_rng(0).permutation(len(names))
    place = {names[int(i)]: rank / len(names) for rank, i in enumerate(order)}
    split = [next((s for s, end in SPLITS.items() if place[name] < end), "train") for name in frame["emoji"]]
    return Items(frame.with_columns(split=pl.Series(split)), root)


def settings(root: Path, **said: object) -> ClassifyParams:
    weights = _installed(PACKAGED["efficientnet-lite0"])
    base = ClassifyParams(
        items=root, output=root, recipe="embed", backbone="tf_efficientnet_lite0", weights_file=weights,
        input_size=SIDE, batch=128, per_label=2, val_share=0.0, weight_decay=5e-4,
    )  # fmt: skip
    return replace(base, **said)  # type: ignore[arg-type]


def preprocess() -> Preprocess:
    return Preprocess(size=(SIDE, SIDE), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def make_maps(root: Path, last: int) -> None:
    items = emoji(root)
    pictures, bad = _decode(items.add(pl.DataFrame({"x": [0] * len(items)})), preprocess(), lambda s, **_: s)
    assert not bad
    network, _ = start(settings(root))
    source = Source(_labelled(items, "label"), pictures, preprocess())
    source.keep_maps(network, last, torch.device("cpu"))
    np.save(root / f"maps-{last}.npy", source.maps.numpy())


def part(root: Path, items: Items, kept: np.ndarray, last: int) -> Source:
    """A source of some rows, their maps read from the file."""
    rows = np.flatnonzero(kept)
    said = _labelled(Items(items.frame[rows], items.root), "label")
    source = Source(
        said, Pictures(np.zeros((len(rows), 1, 1, 3), np.uint8), np.arange(len(rows))), preprocess()
    )
    source.maps = torch.from_numpy(np.load(root / f"maps-{last}.npy", mmap_mode="r")[rows])
    return source


@torch.inference_mode()
def pooled(pool: torch.nn.Module, maps: torch.Tensor) -> torch.Tensor:
    parts = [pool(maps[i : i + 512].float()) for i in range(0, len(maps), 512)]
    return torch.cat(parts)[:, :, None, None].clone()


def sides(items: Items) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the queries (twitter, test) and of the base (google, all)."""
    frame = items.frame
    queries = ((frame["vendor"] == "twitter") & (frame["split"] == "test")).to_numpy()
    return np.flatnonzero(queries), np.flatnonzero((frame["vendor"] == "google").to_numpy())


def judge(
    items: Items, q: np.ndarray, g: np.ndarray, score: np.ndarray
) -> dict[str, tuple[float, float, float]]:
    """mAP and recall@1 with intervals: of this very emoji, and of the emoji whatever its skin tone."""
    order = np.argsort(-score, axis=1, kind="stable")[:, :1000]
    told = {}
    for by, word in (("label", "same"), ("emoji", "any tone")):
        value = items.frame[by].to_numpy()
        hits = value[g][order] == value[q][:, None]
        count = dict(zip(*np.unique(value[g], return_counts=True)))
        relevant = np.array([count[v] for v in value[q]], np.int64)
        said = measure_retrieval(hits, relevant, [1, 10], rng=np.random.default_rng(0))
        for name in ("mAP", "precision@1"):
            told[f"{name} {word}"] = (said[name].value, said[name].low, said[name].high)
    return told


def train(root: Path, seed: int, epochs: int, last: int) -> None:
    items = emoji(root)
    learnt = (items.frame["split"] == "train").to_numpy()
    source, every = part(root, items, learnt, last), part(root, items, np.ones(len(items), bool), last)
    whole = (source.maps, every.maps)
    q, g = sides(items)
    first = root / "plain.json"
    if not first.is_file():
        told = {name: judge(items, q, g, score) for name, score in ways(plain(root), q, g).items()}
        first.write_text(json.dumps(told))
        print(told, flush=True)
    out = root / f"runs-{last}-{seed}.json"
    done = json.loads(out.read_text()) if out.is_file() else []
    for pooling in ORDER if last == 0 else ("gem",):
        for loss in LOSSES:
            if any((d["pooling"], d["loss"]) == (pooling, loss) for d in done):
                continue
            miner = "none" if loss == "n-pair" else "semi-hard"
            said = settings(root, pooling=pooling, metric_loss=loss, seed=seed, epochs=epochs,
                            train_last=last, miner=miner, lr=1e-3)  # fmt: skip
            clock = time.process_time()
            network, _ = start(said)
            source.maps, every.maps = whole
            if last == 0 and not list(network.pool.parameters()):
                # A pooling that learns nothing is done once: faster, and nothing else changes.
                source.maps, every.maps = (pooled(network.pool, maps) for maps in whole)
                network.pool = Average()
            learner = Learning(said, network, source, torch.device("cpu"))
            rows = [learner.epoch(epoch) for epoch in range(epochs)]
            seconds = time.process_time() - clock
            vectors = embed_all(network, every, last, torch.device("cpu"))
            figures = judge(items, q, g, vectors[q] @ vectors[g].T)
            easy = [rows[0]["easy_share"], rows[-1]["easy_share"]]
            done.append(
                {"pooling": pooling, "loss": loss, "cpu_s": seconds, "easy": easy, "figures": figures}
            )
            out.write_text(json.dumps(done))
            np.save(root / f"vectors-{last}-{pooling}-{loss}-{seed}.npy", vectors.astype(np.float16))
            print(
                pooling, loss, f"{seconds:.0f} CPU-s", {k: round(v[0], 3) for k, v in figures.items()}, easy
            )


def plain(root: Path) -> np.ndarray:
    """What `okulo backbone efficientnet-lite0` gives: GeM, p = 3, nothing learnt."""
    maps = np.load(root / "maps-0.npy", mmap_mode="r")
    parts = [generalised_mean(torch.from_numpy(maps[i : i + 512]).float()) for i in range(0, len(maps), 512)]
    return torch.cat(parts).numpy()


def ways(vectors: np.ndarray, q: np.ndarray, g: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of every query to the whole base, each way of ranking."""
    asked, base = unit("queries", vectors[q].astype(np.float32)), unit("base", vectors[g].astype(np.float32))
    said = {"plain": asked @ base.T}
    for name in ("average", "rank", "alpha", "recursive"):
        ranking, wide = Ranking(expand=name, expand_by=3), asked
        for _ in range(3 if name == "recursive" else 1):
            found = nearest(wide, base, 3)
            weight = weights(found.score, ranking)
            wide = unit("wide", asked + np.einsum("qn,qnd->qd", weight, base[found.row]))
        said[f"expansion, {name}"] = wide @ base.T
    said["smoothed base"] = asked @ smoothed(base, lambda v: nearest(v, base, 4), lambda r: base[r]).T
    said["re-ranked"] = -rerank.distances(asked, base, rerank.Reciprocal(k1=10, k2=3))
    return said


def table(root: Path) -> None:
    items = emoji(root)
    q, g = sides(items)
    results: dict[str, object] = {"queries": len(q), "base": len(g), "side_px": SIDE}
    first = judge(items, q, g, ways(plain(root), q, g)["plain"])
    results["pretrained"] = first
    print("pretrained", {k: round(v[0], 3) for k, v in first.items()})
    runs = []
    for last in (0, 1):
        files = sorted(root.glob(f"runs-{last}-*.json"))
        every = [json.loads(f.read_text()) for f in files]
        names = [(d["pooling"], d["loss"]) for d in (every[0] if every else [])]
        for pooling, loss in names:
            same = [d for e in every for d in e if (d["pooling"], d["loss"]) == (pooling, loss)]
            row: dict[str, object] = {
                "train_last": last,
                "pooling": pooling,
                "loss": loss,
                "seeds": len(same),
            }
            for key in first:
                values = [d["figures"][key][0] for d in same]
                row[key] = [float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0]
            row["easy"] = np.mean([d["easy"] for d in same], axis=0).tolist()
            row["cpu_s"] = float(np.median([d["cpu_s"] for d in same]))
            runs.append(row)
            print(last, pooling, loss, len(same), {k: f"{row[k][0]:.3f}±{row[k][1]:.3f}" for k in first})  # type: ignore[index]
    results["learnt"] = runs
    best = max(runs, key=lambda row: row["mAP same"][0])  # type: ignore[index]
    name = f"vectors-{best['train_last']}-{best['pooling']}-{best['loss']}-0.npy"
    results["on top"] = {}
    for what, vectors in (("pretrained", plain(root)), (name, np.load(root / name).astype(np.float32))):
        told = {way: judge(items, q, g, score) for way, score in ways(vectors, q, g).items()}
        results["on top"][what] = told  # type: ignore[index]
        for way, figures in told.items():
            print(what, way, {k: round(v[0], 3) for k, v in figures.items()})
    write_results("search-emoji", results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("emoji", type=Path)
    parser.add_argument("part", choices=("maps", "train", "table"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--last", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.part == "maps":
        make_maps(chosen.emoji, chosen.last)
    elif chosen.part == "train":
        train(chosen.emoji, chosen.seed, chosen.epochs, chosen.last)
    else:
        table(chosen.emoji)


if __name__ == "__main__":
    main()
