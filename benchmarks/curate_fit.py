"""Fit the verifier of `okulo dedup`: measure candidate pairs of the tuning part, and learn from them.

Writes `src/okulo/curate/duplicates/verifier.npz`. Half of the pairs are shown without their cosine, so that
the forest does without embeddings too; monotone constraints keep it sane where there was nothing to learn.
`--check` writes nothing: it says how good the groups are when no pair is scored by a forest that saw its
first picture (four folds of pictures, the same ones in every seed).
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from curate_dedup import judge, show
from curate_dedup_set import embedded, measured
from curate_truth import Truth, plant
from okulo.curate.dedup import STRONG
from okulo.curate.duplicates.evidence import NAMES
from okulo.curate.duplicates.groups import make_groups
from okulo.curate.duplicates.threshold import choose_threshold
from okulo.curate.duplicates.verifier import FITTED, Forest, save_forest

NOT_DISTINCT = Path(__file__).with_name("curate_same.json")
"""Natural pairs that looking at them showed to be one picture (by source names, either order)."""
FALLING, FREE = ("worst", "odd", "zoom", "squash", "tilt"), ("texture", "overlap", "fewest features", "cut")
TREES, LEAVES, RATE = 250, 16, 0.06
FOLDS = 4


def monotone() -> list[int]:
    """More agreement never lowers the score, a larger difference never raises it."""
    return [0 if n.endswith(FREE) else -1 if n.endswith(FALLING) else 1 for n in NAMES]


def unfold(model: object) -> Forest:
    """Read scikit-learn's trees out as plain arrays."""
    trees = [one.nodes for (one,) in model._predictors]  # type: ignore[attr-defined]
    offset = np.concatenate([[0], np.cumsum([len(t) for t in trees])[:-1]])
    nodes = np.concatenate(trees)
    shift = np.repeat(offset, [len(t) for t in trees])
    leaf = nodes["is_leaf"].astype(bool)
    return Forest(
        roots=offset.astype(np.int32),
        feature=nodes["feature_idx"].astype(np.int32),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=np.where(leaf, -1, nodes["left"] + shift).astype(np.int32),
        right=np.where(leaf, -1, nodes["right"] + shift).astype(np.int32),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=nodes["value"].astype(np.float64),
        start=np.float64(model._baseline_prediction.ravel()[0]).reshape(()),  # type: ignore[attr-defined]
    )


def new_model() -> object:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        learning_rate=RATE,
        monotonic_cst=monotone(),
        min_samples_leaf=10,
        random_state=0,
    )


def fitted(numbers: np.ndarray, true: np.ndarray) -> object:
    """A forest of these pairs, shown once with their cosine and once without."""
    blind = numbers.copy()
    blind[:, NAMES.index("cosine")] = np.nan
    model = new_model()
    model.fit(np.concatenate([numbers, blind]), np.concatenate([true, true]))  # type: ignore[attr-defined]
    return model


def fold_of(source: str) -> int:
    return hashlib.blake2b(source.encode(), digest_size=2).digest()[0] % FOLDS


def check(sets: list[tuple[Truth, np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Out-of-fold scores, grouped as `okulo dedup` does; judged by what eyes saw."""
    folds = [np.array([fold_of(each) for each in truth.source]) for truth, *_ in sets]
    scores = [np.zeros(len(pairs), np.float32) for _, pairs, *_ in sets]
    for left in range(FOLDS):
        apart = [(fold[pairs] != left).all(axis=1) for fold, (_, pairs, *_) in zip(folds, sets)]
        numbers, true = (np.concatenate([s[k][a] for s, a in zip(sets, apart)]) for k in (2, 3))
        model = fitted(numbers, true)
        for fold, score, (_, pairs, rows, _) in zip(folds, scores, sets):
            own = fold[pairs[:, 0]] == left
            score[own] = model.predict_proba(rows[own])[:, 1]  # type: ignore[attr-defined]
    for (truth, pairs, *_), score in zip(sets, scores):
        threshold, _ = choose_threshold(score)
        found = np.concatenate([pairs, exact_copies(truth)])
        sure = np.concatenate([score, np.ones(len(found) - len(pairs), np.float32)])
        group = make_groups(len(truth.names), found, sure, threshold, max(STRONG, threshold)).group
        kept = np.zeros(len(group), bool)
        kept[np.unique(group, return_index=True)[1]] = True
        looked_at = judge(truth, group, kept, looked_at=True)
        show(
            f"out of fold, threshold {threshold}",
            {"by rule": judge(truth, group, kept, False), "looked at": looked_at},
        )


def exact_copies(truth: Truth) -> np.ndarray:
    """Pairs of the same bytes or pixels, which no forest is asked about."""
    rows = list(zip(truth.picture.tolist(), truth.kind))
    first = {one: number for number, (one, kind) in reversed(list(enumerate(rows))) if kind == "natural"}
    return np.array(
        [(first[one], i) for i, (one, kind) in enumerate(rows) if kind.startswith("same ")], np.int64
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pictures", type=int, default=2400)
    parser.add_argument(
        "--model", type=Path, required=True, help="model file of `okulo backbone efficientnet-lite0`"
    )
    parser.add_argument("--check", action="store_true", help="judge out of fold instead of writing")
    chosen = parser.parse_args()
    same = {frozenset(pair) for pair in json.loads(NOT_DISTINCT.read_text())["same"]}
    sets = []
    for seed in chosen.seeds:
        truth = plant("tune", seed, chosen.pictures)
        pairs, numbers = measured(truth, embedded(truth, chosen.model))
        one = truth.picture[pairs[:, 0]] == truth.picture[pairs[:, 1]]
        named = np.array([frozenset((truth.source[i], truth.source[j])) in same for i, j in pairs])
        sets.append((truth, pairs, numbers, one | named))
    if chosen.check:
        check(sets)
        return
    numbers, true = (np.concatenate([each[k] for each in sets]) for k in (2, 3))
    model = fitted(numbers, true)
    forest = unfold(model)
    expected = model.predict_proba(numbers)[:, 1]  # type: ignore[attr-defined]
    assert np.allclose(forest.score(numbers), expected, atol=1e-5)
    save_forest(forest, FITTED)
    print(f"{FITTED}: {TREES} trees on {len(numbers):,} pairs, {int(true.sum()):,} of them copies")


if __name__ == "__main__":
    main()
