"""Make `ranx.json`: rankings and what ranx says of them (python3 -m venv; pip install ranx; run this)."""

import json
from pathlib import Path

import numpy as np

METRICS = [
    *("map", "r-precision", "precision@1", "precision@5", "recall@5", "recall@10", "ndcg@5", "ndcg@10"),
]


def main() -> None:
    from ranx import Qrels, Run, evaluate

    rng = np.random.default_rng(7)
    cases = []
    for graded in (False, True):
        qrels, run = {}, {}
        for query in range(25):
            count = int(rng.integers(1, 12))
            chosen = rng.choice(40, count, replace=False)
            gains = rng.integers(1, 4, count) if graded else np.ones(count, int)
            qrels[f"q{query}"] = {f"d{d}": int(g) for d, g in zip(chosen, gains)}
            order = rng.permutation(40)[:20]
            scores = -np.arange(20) / 10.0 - 1  # below 0: some libraries are wrong there
            run[f"q{query}"] = {f"d{d}": float(s) for d, s in zip(order, scores)}
        said = evaluate(Qrels(qrels), Run(run), METRICS, return_mean=False)
        cases.append(
            {"qrels": qrels, "run": run, "said": {name: np.asarray(v).tolist() for name, v in said.items()}}
        )
    Path(__file__).with_name("ranx.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main()
