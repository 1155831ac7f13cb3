"""What the series chain finds: families of faults on the simulator, and aeon's labelled sets."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from okulo.apps.series.classifier import Classifier
from okulo.apps.series.clean import CleanParams, Rules
from okulo.apps.series.clean import run as clean
from okulo.apps.series.cluster import ClusterParams
from okulo.apps.series.cluster import run as cluster
from okulo.apps.series.feature_list import NAMES, SHAPE
from okulo.apps.series.features import FeaturesParams, compute, matrix
from okulo.apps.series.features import run as features
from okulo.apps.series.label import LabelParams
from okulo.apps.series.label import run as label
from okulo.apps.series.simulate import FAULTS, KINDS, simulate, simulate_parts
from okulo.apps.series.store import Store
from okulo.apps.series.watch import Watcher
from okulo.core.nouns import Series
from okulo.io.files import read_json, write_json

PURE = 0.8


def make_store(root: Path, count: int, seed: int, faults: Mapping[str, float]) -> np.ndarray:
    """A store of simulated recordings; gives what each is."""
    store = Store(root)
    kinds = []
    for place, part in enumerate(simulate_parts(count, seed, faults=faults)):
        store.write_part(place, part.series)
        kinds.append(part.kind)
    write_json(store.manifest, {"complete": True, "source": "simulated", "findings": {}})
    return np.concatenate(kinds)


def settings(seed: int) -> dict[str, Mapping[str, float]]:
    """The families in several sizes: as they are, turned round, shuffled, all rare."""
    names, shares = list(FAULTS), list(FAULTS.values())
    shuffled = np.random.default_rng(seed).permutation(shares)
    return {
        "as simulated": FAULTS,
        "sizes turned round": dict(zip(names, shares[::-1])),
        "sizes shuffled": dict(zip(names, shuffled.tolist())),
        "every family 0.1 %": dict.fromkeys(names, 0.001),
    }


def scores(truth: np.ndarray, group: np.ndarray) -> dict[str, Any]:
    """Per family: its best group's purity and share of it, all its pure groups' share; and the ARI."""
    told: dict[str, Any] = {}
    numbers = np.unique(group[group > 0])
    for code in range(1, len(FAULTS) + 1):
        mine = truth == code
        if not mine.any():
            continue
        best = {"purity": 0.0, "share": 0.0, "in pure groups": 0.0}
        for number in numbers:
            inside = group == number
            purity, share = float(mine[inside].mean()), float(inside[mine].mean())
            if purity >= PURE:
                best["in pure groups"] += share
                if share > best["share"]:
                    best |= {"purity": purity, "share": share}
        told[KINDS[code]] = {key: round(value, 4) for key, value in best.items()}
    faults = (truth > 0) & (truth <= len(FAULTS))
    told["ARI on faults"] = round(float(adjusted_rand_score(truth[faults], group[faults])), 4)
    told["groups"] = len(numbers)
    families = [told[name] for name in FAULTS if name in told]
    told["families found"] = f"{sum(each['share'] > 0 for each in families)} of {len(families)}"
    told["least share of a family in its best group"] = min(each["share"] for each in families)
    return told


def ours(root: Path, truth: np.ndarray, **options: Any) -> tuple[dict[str, Any], np.ndarray]:
    """The default chain; groups and what was kept."""
    store = Store(root)
    if not store.table("features").exists():
        features(FeaturesParams(store=root))
        clean(CleanParams(store=root, plot=False))
    cluster(ClusterParams(store=root, replace=True, look=False, **options))
    group = store.read_table("groups")["group"]
    kept = group.is_not_null().to_numpy()
    garbage = truth > len(FAULTS)
    told = scores(truth[kept], group.fill_null(0).to_numpy()[kept])
    told["garbage excluded"] = round(float((~kept)[garbage].mean()), 5)
    told["good excluded"] = round(float((~kept)[~garbage].mean()), 6)
    return told, kept


def plain(root: Path, truth: np.ndarray, kept: np.ndarray, k: int) -> dict[str, Any]:
    """Scaled features and k-means on all that is kept: what one would do first."""
    rows = np.nan_to_num(matrix(Store(root).read_table("features"), SHAPE)[kept], posinf=0, neginf=0)
    rows = ((rows - rows.mean(0)) / (rows.std(0) + 1e-9)).astype(np.float32)
    label = KMeans(k, n_init=1, random_state=0).fit_predict(rows)
    return scores(truth[kept], label + 1)


def quality(count: int, seeds: list[int], peers: str | None) -> dict[str, Any]:
    """All settings and seeds ours; with peers plain pipelines, other methods and DTW on the first instead."""
    told: dict[str, Any] = {"recordings": count}
    for seed in seeds:
        for name, faults in settings(seed).items():
            if peers and (seed, name) != (seeds[0], "as simulated"):
                continue
            with tempfile.TemporaryDirectory(prefix="okulo-bench-") as folder:
                root = Path(folder) / "store"
                truth = make_store(root, count, seed, faults)
                found, kept = ours(root, truth)
                told[f"okulo, {name}, seed {seed}"] = found
                show(f"okulo, {name}, seed {seed}", found)
                if name == "as simulated":
                    told[f"named, seed {seed}"] = named(root, truth, seed)
                    print("named:", json.dumps(told[f"named, seed {seed}"]), flush=True)
                if peers:
                    told |= beside(root, truth, kept, peers, Path(folder))
    return told


def named(root: Path, truth: np.ndarray, seed: int) -> dict[str, Any]:
    """Groups get the name of most of their members; what the classifier says of 200,000 new recordings."""
    group = Store(root).read_table("groups")["group"].fill_null(-2).to_numpy()
    names = {}
    for number in range(1, int(group.max()) + 1):
        counts = np.bincount(truth[group == number], minlength=len(KINDS))
        if counts.max() >= PURE * counts.sum():
            names[str(number)] = KINDS[int(counts.argmax())]
    write_json(root / "given.json", {"names": names})
    said = label(LabelParams(store=root, names=root / "given.json", replace=True))
    new = simulate(200_000, np.random.default_rng([seed, 10_000]), first_id=10**9)
    classifier = Classifier.from_json(read_json(root / "classifier.json"))
    rules = Rules.from_json(read_json(root / "clean.json")["rules"])
    answer = Watcher(Store(root), classifier, rules).answer(new.series)
    usable = new.kind <= len(FAULTS)
    kind = np.array(KINDS, object)[new.kind]
    name = answer["name"].to_numpy()
    told = {
        "names": len(said.names),
        "right out of fold": said.accuracy,
        "given up out of fold": said.refused,
    }
    for what, rows in (("all", usable), ("faults", usable & (new.kind > 0))):
        answered = rows & (name != None)  # noqa: E711
        told[f"{what}: answered"] = float(answered.sum() / rows.sum())
        told[f"{what}: right of those"] = float((name == kind)[answered].mean())
    return {key: round(value, 5) for key, value in told.items()}


def beside(
    root: Path, truth: np.ndarray, kept: np.ndarray, peers: str | None, folder: Path
) -> dict[str, Any]:
    """Plain pipelines, and the other methods on what is set apart."""
    told = {}
    for k in (12, 40):
        told[f"plain k-means on scaled features, k = {k}"] = plain(root, truth, kept, k)
    for method, k in (("kmeans", 16), ("minibatch", 16), ("gmm", 16), ("hdbscan", 16)):
        told[f"okulo --method {method}"], _ = ours(root, truth, method=method, clusters=k)
    for name, found in told.items():
        show(name, found)
    if peers:
        told |= shape_based(root, truth, peers, folder)
    return told


def shape_based(root: Path, truth: np.ndarray, peers: str, folder: Path) -> dict[str, Any]:
    """DTW and shape-based clustering on a sample in which every family has 60 recordings."""
    from benchmarks.series_steps import ask_peer

    ours(root, truth)
    rng = np.random.default_rng(0)
    normal = rng.choice(np.flatnonzero(truth == 0), 500, replace=False)
    rows = np.concatenate(
        [normal, *(rng.permutation(np.flatnonzero(truth == c))[:60] for c in range(1, len(FAULTS) + 1))]
    )
    store = Store(root)
    ids = store.ids()[rows]
    values = store.select(ids)
    clipped = [np.nan_to_num(values[int(i)], posinf=0, neginf=0) for i in ids]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in clipped])])
    np.savez(folder / "sample.npz", values=np.concatenate(clipped), offsets=offsets)
    told = {}
    for name, found in ask_peer(peers, "shapes", folder).items():
        figures = scores(truth[rows], np.array(found["labels"]) + 1)
        told[f"{name}, on a sample of {len(rows)}"] = {**figures, "seconds": round(found["seconds"], 2)}
        show(name, figures)
    mine = store.read_table("groups").filter(pl.col("id").is_in(ids.tolist()))
    number = dict(mine.select("id", pl.col("group").fill_null(0)).iter_rows())
    figures = scores(truth[rows], np.array([number[int(i)] for i in ids]))
    told["okulo, on the same sample"] = figures
    show("okulo, on the same sample", figures)
    return told


def show(name: str, found: Mapping[str, Any]) -> None:
    worst = min((k for k in FAULTS if k in found), key=lambda k: found[k]["share"])
    late, clipped = (found[each]["in pure groups"] for each in ("late peak", "clipped"))
    print(
        f"{name:<48} ARI {found['ARI on faults']:.3f}, {found['groups']:>3} groups, "
        f"{found['families found']} families; least: {worst} {found[worst]['share']:.0%}; "
        f"late peak {late:.0%}, clipped {clipped:.0%}",
        flush=True,
    )


def labelled(peers: str | None) -> dict[str, Any]:
    """aeon's labelled sets: its clusterers, and our features with k-means at the true number of classes."""
    assert peers, "the sets come with aeon: --peers"
    from benchmarks.series_steps import ask_peer

    with tempfile.TemporaryDirectory(prefix="okulo-bench-") as name:
        folder = Path(name)
        told = ask_peer(peers, "aeon", folder)
        for each, figures in told.items():
            held = np.load(folder / f"{each}.npz")
            some = np.array(figures.pop("used"))
            x, y = held["x"][some], held["y"][some]
            columns = []
            for channel in range(x.shape[1]):
                flat = np.ascontiguousarray(x[:, channel])
                offsets = np.arange(len(x) + 1, dtype=np.int64) * x.shape[2]
                found = compute(Series(np.arange(len(x)), flat.ravel(), offsets))
                columns.append(found[:, [NAMES.index(n) for n in SHAPE]])
            rows = np.concatenate(columns, axis=1)
            rows = rows[:, ~np.isnan(rows).any(axis=0)]
            spread = np.quantile(np.abs(rows - np.median(rows, 0)), 0.9, axis=0) + 1e-9
            scaled = np.clip((rows - np.median(rows, 0)) / spread, -3, 3)
            model = KMeans(int(figures["classes"]), n_init=10, random_state=0)
            ari = adjusted_rand_score(y, model.fit_predict(scaled))
            figures["okulo features, k-means"] = {"ari": round(float(ari), 4)}
            print(each, json.dumps(figures, indent=2))
    return told
