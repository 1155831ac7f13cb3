"""Fit the verifier of `okulo dedup`: measure candidate pairs of the tuning part, and learn from them.

Writes `src/okulo/curate/duplicates/verifier.npz`. Half of the pairs are shown without their cosine, so that
the forest does without embeddings too; monotone constraints keep it sane where there was nothing to learn.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from curate_dedup_set import embedded, measured
from curate_truth import plant
from okulo.curate.duplicates.evidence import NAMES
from okulo.curate.duplicates.verifier import FITTED, Forest, save_forest

NOT_DISTINCT = Path(__file__).with_name("curate_same.json")
"""Natural pairs that looking at them showed to be one picture (by source names, either order)."""
FALLING, FREE = ("worst", "zoom", "squash", "tilt"), ("texture", "overlap", "fewest features", "cut")
TREES, LEAVES, RATE = 250, 16, 0.06


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


def main() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--pictures", type=int, default=1800)
    parser.add_argument(
        "--model", type=Path, required=True, help="model file of `okulo backbone efficientnet-lite0`"
    )
    chosen = parser.parse_args()
    same = {frozenset(pair) for pair in json.loads(NOT_DISTINCT.read_text())["same"]}
    rows, truths = [], []
    for seed in chosen.seeds:
        truth = plant("tune", seed, chosen.pictures)
        pairs, numbers = measured(truth, embedded(truth, chosen.model))
        one = truth.picture[pairs[:, 0]] == truth.picture[pairs[:, 1]]
        named = np.array([frozenset((truth.source[i], truth.source[j])) in same for i, j in pairs])
        rows.append(numbers)
        truths.append(one | named)
    numbers, true = np.concatenate(rows), np.concatenate(truths)
    blind = numbers.copy()
    blind[:, NAMES.index("cosine")] = np.nan
    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        learning_rate=RATE,
        monotonic_cst=monotone(),
        min_samples_leaf=10,
        random_state=0,
    )
    model.fit(np.concatenate([numbers, blind]), np.concatenate([true, true]))
    forest = unfold(model)
    assert np.allclose(forest.score(numbers), model.predict_proba(numbers)[:, 1], atol=1e-5)
    save_forest(forest, FITTED)
    print(f"{FITTED}: {TREES} trees on {len(numbers):,} pairs, {int(true.sum()):,} of them copies")


if __name__ == "__main__":
    main()
