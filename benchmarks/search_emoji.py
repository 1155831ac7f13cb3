"""Find one vendor's emoji by the other's drawing: the pretrained embedding, and what learning makes of it.

npm pack emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0; unpack to EMOJI/google, …/twitter
python benchmarks/search_emoji.py EMOJI maps              # once: the backbone's maps of all pictures
python benchmarks/search_emoji.py EMOJI tune              # settings of each loss, on other emoji
python benchmarks/search_emoji.py EMOJI train --seed 0    # every pooling × loss (and 1, 2, …), with these
python benchmarks/search_emoji.py EMOJI train --last 1 …  # the last block too (after maps --last 1)
python benchmarks/search_emoji.py EMOJI table             # all seeds, and every way of ranking on top

40 % of the emoji (with all their skin tones) are queries that nothing was learnt of, 10 % more choose the
settings; the base is all 3,786 drawings of the other vendor. Writes `benchmarks/results/search-emoji.json`.
"""

import argparse
import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from okulo.train.data import Pictures, decode_rows
from okulo.train.embed import Learning, Source, embed_all, start
from okulo.train.embed_data import _labelled
from okulo.train.params import POOLINGS, ClassifyParams

SIDE = 128
ORDER = ("gem", "combined", "rmac", "average", "max")
assert set(ORDER) == set(POOLINGS)
LOSSES = ("triplet", "n-pair", "contrastive", "arcface", "sub-centre")
assert set(LOSSES) == set(METRIC_LOSSES)
RATES = (3e-4, 1e-3, 3e-3)
GRID: dict[str, dict[str, tuple[float, ...]]] = {
    "contrastive": {"lr": (1e-4, *RATES), "loss_margin": (0.3, 0.1, 0.5)},
    "triplet": {"lr": RATES, "margin": (0.1, 0.05, 0.2)},
    "n-pair": {"lr": RATES, "scale": (10, 20, 40)},
    "arcface": {"lr": (*RATES, 1e-2), "scale": (32, 16, 8, 64), "loss_margin": (17.2, 5.7, 28.6, 40)},
    "sub-centre": {"lr": RATES, "scale": (32, 16, 64), "loss_margin": (17.2, 5.7, 28.6)},
}
"""What `tune` tries, one setting after the other."""
UNTUNED: dict[str, float | None] = {"epochs": 10, "margin": 0.1, "loss_margin": None, "scale": None}
TUNED: dict[str, dict[str, float]] = {
    "contrastive": {"epochs": 10, "lr": 3e-4},
    "triplet": {"epochs": 10, "lr": 1e-3, "margin": 0.2},
    "n-pair": {"epochs": 10, "lr": 3e-3},
    "arcface": {"epochs": 10, "lr": 3e-3, "scale": 16, "loss_margin": 28.6},
    "sub-centre": {"epochs": 10, "lr": 1e-3, "scale": 16, "loss_margin": 28.6},
}
"""What it chose."""
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
    pictures, bad = decode_rows(items, preprocess())
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


class Course:
    """The emoji, and what is learnt from and judged on."""

    def __init__(self, root: Path, last: int) -> None:
        self.root, self.last, self.items = root, last, emoji(root)
        split = self.items.frame["split"].to_numpy()
        self.learnt = part(root, self.items, split == "train", last)
        self.every = part(root, self.items, split != "", last)
        self.whole = (self.learnt.maps, self.every.maps)
        self.q, self.g = sides(self.items)
        # Settings are chosen on emoji that are neither learnt nor asked for in the end.
        vendor = self.items.frame["vendor"].to_numpy()
        self.val = (
            np.flatnonzero((vendor == "twitter") & (split == "val")),
            np.flatnonzero((vendor == "google") & (split != "test")),
        )

    def run(self, **said: object) -> tuple[np.ndarray, dict[str, object]]:
        """Learn once; vectors of all pictures, and what was seen."""
        loss, last = said["metric_loss"], self.last
        miner = "none" if loss == "n-pair" else "semi-hard"
        params = settings(self.root, **{"miner": miner, "train_last": last, **TUNED[loss], **said})  # type: ignore[dict-item,index]
        clock = time.process_time()
        network, _ = start(params)
        self.learnt.maps, self.every.maps = self.whole
        if last == 0 and not list(network.pool.parameters()):
            # A pooling that learns nothing is done once: faster, and nothing else changes.
            self.learnt.maps, self.every.maps = (pooled(network.pool, maps) for maps in self.whole)
            network.pool = Average()
        learner = Learning(params, network, self.learnt, torch.device("cpu"))
        rows = [learner.epoch(epoch) for epoch in range(learner.epochs)]
        seconds = time.process_time() - clock
        vectors = embed_all(network, self.every, last, torch.device("cpu"))
        easy = [rows[0]["easy_share"], rows[-1]["easy_share"]]
        val = judge(self.items, *self.val, vectors[self.val[0]] @ vectors[self.val[1]].T)
        return vectors, {"cpu_s": seconds, "easy": easy, "val": val["mAP same"][0]}


def tune(root: Path, only: tuple[str, ...]) -> None:
    """One setting after the other, each loss with average pooling, judged on the emoji of `val`."""
    course = Course(root, 0)
    out = root / "tune.json"
    told = json.loads(out.read_text()) if out.is_file() else {}
    for loss in only:
        best: dict[str, object] = {}
        best_of = 0.0
        for name, values in GRID[loss].items():
            scores = []
            for value in values:
                said = {**best, name: value}
                key = f"{loss} {json.dumps(said, sort_keys=True)}"
                if value == values[0] and len(said) > 1 and best_of:  # the default was tried just before
                    scores.append(best_of)
                    continue
                if key not in told:
                    _, seen = course.run(pooling="average", metric_loss=loss, **{**UNTUNED, **said})
                    told[key] = seen
                    out.write_text(json.dumps(told))
                    print(key, seen, flush=True)
                scores.append(told[key]["val"])
            best[name], best_of = values[int(np.argmax(scores))], max(scores)
        print(loss, "→", best, flush=True)


def read_runs(path: Path) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
    return said


def train(root: Path, seed: int, last: int, poolings: tuple[str, ...], losses: tuple[str, ...]) -> None:
    course = Course(root, last)
    out = root / f"runs-{last}-{seed}.json"
    for pooling in poolings:
        for loss in losses:
            done = read_runs(out)
            if any((d["pooling"], d["loss"]) == (pooling, loss) for d in done):
                continue
            vectors, seen = course.run(pooling=pooling, metric_loss=loss, seed=seed)
            figures = judge(course.items, course.q, course.g, vectors[course.q] @ vectors[course.g].T)
            run = {"pooling": pooling, "loss": loss, "figures": figures, **seen}
            out.write_text(json.dumps([*read_runs(out), run]))  # another process may have written meanwhile
            np.save(root / f"vectors-{last}-{pooling}-{loss}-{seed}.npy", vectors.astype(np.float16))
            print(pooling, loss, seen, {k: round(v[0], 3) for k, v in figures.items()}, flush=True)


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
    results: dict[str, Any] = {"queries": len(q), "base": len(g), "side_px": SIDE, "settings": TUNED}
    tuning = root / "tune.json"
    results["tuning"] = json.loads(tuning.read_text()) if tuning.is_file() else {}
    first = judge(items, q, g, ways(plain(root), q, g)["plain"])
    results["pretrained"] = first
    print("pretrained", {k: round(v[0], 3) for k, v in first.items()})
    results["learnt"] = runs = [row for last in (0, 1) for row in learnt(root, last, tuple(first))]
    # Chosen by emoji that are neither learnt nor asked for; the first seed stands for the others.
    best = max((row for row in runs if row["train_last"] == 0), key=lambda row: row["val"][0])
    name = f"vectors-0-{best['pooling']}-{best['loss']}-0.npy"
    results["on top"] = {}
    for what, vectors in (("pretrained", plain(root)), (name, np.load(root / name).astype(np.float32))):
        told = {way: judge(items, q, g, score) for way, score in ways(vectors, q, g).items()}
        results["on top"][what] = told
        for way, figures in told.items():
            print(what, way, {k: round(v[0], 3) for k, v in figures.items()})
    write_results("search-emoji", results)


def learnt(root: Path, last: int, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """A row for each pooling and loss: mean and standard deviation over the seeds."""
    every = [run for file in sorted(root.glob(f"runs-{last}-*.json")) for run in read_runs(file)]
    rows = []
    for pooling, loss in [(pooling, loss) for pooling in ORDER for loss in LOSSES]:
        same = [run for run in every if (run["pooling"], run["loss"]) == (pooling, loss)]
        if not same:
            continue
        row: dict[str, Any] = {"train_last": last, "pooling": pooling, "loss": loss, "seeds": len(same)}
        for key in (*keys, "val"):
            values = [run["val"] if key == "val" else run["figures"][key][0] for run in same]
            row[key] = [float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0]
        row["easy"] = np.mean([run["easy"] for run in same], axis=0).tolist()
        row["cpu_s"] = float(np.median([run["cpu_s"] for run in same]))
        rows.append(row)
        cells = [f"{row[key][0]:.3f} ± {row[key][1]:.3f}" for key in keys]
        easy = f"{row['easy'][0]:.1%} → {row['easy'][1]:.1%}"
        print("|", " | ".join([str(last), pooling, loss, str(len(same)), *cells, easy]), "|")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("emoji", type=Path)
    parser.add_argument("part", choices=("maps", "tune", "train", "table"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--last", type=int, default=0)
    parser.add_argument("--pooling", nargs="+", choices=ORDER, default=ORDER)
    parser.add_argument("--loss", nargs="+", choices=LOSSES, default=LOSSES)
    chosen = parser.parse_args()
    if chosen.part == "maps":
        make_maps(chosen.emoji, chosen.last)
    elif chosen.part == "tune":
        tune(chosen.emoji, tuple(chosen.loss))
    elif chosen.part == "train":
        train(chosen.emoji, chosen.seed, chosen.last, tuple(chosen.pooling), tuple(chosen.loss))
    else:
        table(chosen.emoji)


if __name__ == "__main__":
    main()
