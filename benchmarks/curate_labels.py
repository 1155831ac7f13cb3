"""Wrong labels: the ranking beside cleanlab's, the estimate, and what a perfect reviewer's verdicts bring.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install cleanlab
    OMP_NUM_THREADS=2 python benchmarks/curate_labels.py --peers /tmp/peers/bin/python

cleanlab gets what its users give it: out-of-fold probabilities of scikit-learn's logistic regression, and of
10 nearest neighbours; and, last, okulo's own probabilities, so that only the rankings differ.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from curate_data import NOISES, Labelled, boundary, plant, read_digits, read_fashion
from machine import write_results
from okulo.curate.audit_estimate import calibrate, estimate_wrong
from okulo.curate.audit_probe import out_of_fold, prepare
from okulo.curate.label_issues import doubt

SHARE = 0.075
MODELS = {
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
    "neighbours": lambda: KNeighborsClassifier(10),
}


def rank_with_cleanlab(python: str, labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(source, labels=labels, probabilities=probabilities.astype(np.float64))
        script = Path(__file__).with_name("peer_cleanlab.py")
        subprocess.run([python, str(script), str(source), str(target)], check=True)
        with np.load(target) as held:
            return dict(held)


def judged(data: Labelled, given: np.ndarray, seed: int) -> np.ndarray:
    """Probabilities out of fold, as `okulo audit` makes them."""
    rng = np.random.default_rng(seed)
    return out_of_fold(prepare(data.vectors), given, None, classes=data.classes, folds=5, rounds=2, rng=rng)


def compare(
    data: Labelled, noise: str, near: tuple[np.ndarray, np.ndarray], seed: int, python: str
) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    given = plant(data, noise, near, SHARE, rng)
    wrong = given != data.truth
    start = time.process_time()
    ours = judged(data, given, seed)
    scores = doubt(ours, given)
    estimate, severity = estimate_wrong(ours, given, rng=np.random.default_rng(seed))
    spent = time.process_time() - start
    order = np.argsort(-scores, kind="stable")
    depth = 2 * int(wrong.sum())
    reviewed = order[:depth]
    after, _ = calibrate(severity, order, reviewed, wrong[reviewed], before=estimate)
    row: dict[str, object] = {
        "set": data.name, "noise": noise, "seed": seed, "planted": int(wrong.sum()), "cpu_s": spent,
        "okulo": average_precision_score(wrong, scores),
        "found": float(wrong[reviewed].sum() / wrong.sum()),
        "estimate": [estimate.wrong, estimate.low, estimate.high],
        "estimate_after_verdicts": [after.wrong, after.low, after.high],
    }  # fmt: skip
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    said = {"okulo's": ours}
    for name, make in MODELS.items():
        said[name] = cross_val_predict(make(), data.vectors, given, cv=folds, method="predict_proba")
    for name, probabilities in said.items():
        peer = rank_with_cleanlab(python, given, probabilities)
        for how in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
            row[f"cleanlab {name} {how}"] = average_precision_score(wrong, -peer[how])
        row[f"cleanlab {name} mask finds"] = float(peer["mask"][wrong].mean())
        row["cleanlab version"] = str(peer["version"])
        if name != "okulo's":
            row[f"okulo ranking on {name}"] = average_precision_score(wrong, doubt(probabilities, given))
    return row


def review(data: Labelled, noise: str, near: tuple[np.ndarray, np.ndarray], seed: int) -> dict[str, object]:
    """Accuracy before and after a perfect reviewer looks at the first part of the queue, in which splits.

    Measured twice: on the labels as they are then, and (which nobody can in life) on the truth.
    """
    given = plant(data, noise, near, SHARE, np.random.default_rng(seed))
    answer = judged(data, given, seed)
    order = np.argsort(-doubt(answer, given), kind="stable")
    looked = np.zeros(len(given), bool)
    looked[order[: round(2 * SHARE * len(given))]] = True
    row: dict[str, object] = {"set": data.name, "noise": noise, "seed": seed, "looked_at": int(looked.sum())}
    for name, where in (
        ("before", np.zeros_like(looked)),
        ("train reviewed", looked & ~data.test),
        ("both reviewed", looked),
    ):
        labels = np.where(where, data.truth, given)
        model = SVC(C=5, gamma="scale").fit(data.vectors[~data.test], labels[~data.test])
        guess = model.predict(data.vectors[data.test])
        row[name] = {
            "on the labels": float((guess == labels[data.test]).mean()),
            "on the truth": float((guess == data.truth[data.test]).mean()),
            "changed": int((where & (given != data.truth)).sum()),
        }
    return row


def show(rows: list[dict[str, object]], reviews: list[dict[str, object]]) -> dict[str, object]:
    def mean(rows_: list[dict[str, object]], key: str) -> float:
        return float(np.mean([row[key] for row in rows_]))

    summary = []
    print(
        "\naverage precision of the queue, mean over seeds (cleanlab: its default score / best of its three)"
    )
    heads = ("logistic", "neighbours", "our prob.")
    print(f"{'set':8s} {'noise':9s} {'okulo':>6s} " + " ".join(f"{h:>15s}" for h in heads) + "   mask cpu_s")
    for name, noise in sorted({(row["set"], row["noise"]) for row in rows}, key=str):
        part = [row for row in rows if (row["set"], row["noise"]) == (name, noise)]
        line: dict[str, object] = {
            "set": name,
            "noise": noise,
            "okulo": mean(part, "okulo"),
            "cpu_s": mean(part, "cpu_s"),
        }
        cells = []
        for source in ("logistic", "neighbours", "okulo's"):
            scores = [mean(part, f"cleanlab {source} {how}") for how in (
                "self_confidence", "normalized_margin", "confidence_weighted_entropy")]  # fmt: skip
            line[f"cleanlab {source}"] = {"default": scores[0], "best": max(scores)}
            line[f"ratio to {source}"] = float(line["okulo"]) / scores[0]  # type: ignore[arg-type]
            cells.append(f"{scores[0]:.3f} / {max(scores):.3f}")
        line["mask finds"] = mean(part, "cleanlab neighbours mask finds")
        line["estimate"] = [[round(float(x)) for x in row["estimate"]] for row in part]  # type: ignore[attr-defined]
        line["after verdicts"] = [[round(float(x)) for x in row["estimate_after_verdicts"]] for row in part]  # type: ignore[attr-defined]
        line["planted"] = part[0]["planted"]
        line["found"] = mean(part, "found")
        summary.append(line)
        print(
            f"{name!s:8s} {noise!s:9s} {line['okulo']:6.3f} "
            + " ".join(f"{c:>15s}" for c in cells)
            + f" {line['mask finds']:6.0%} {line['cpu_s']:.1f}"
        )
    print("\nestimated wrong labels [about, low, high]: before any verdict → after twice as many as planted")
    for line in summary:
        print(
            f"{line['set']!s:8s} {line['noise']!s:9s} planted {line['planted']}, {line['found']:.0%} found: "
            f"{line['estimate']} → {line['after verdicts']}"
        )
    show_reviews(reviews)
    return {"summary": summary}


def show_reviews(reviews: list[dict[str, object]]) -> None:
    print("\naccuracy with a perfect reviewer of the first 15 %: on the labels as they are (on the truth)")
    for noise in NOISES:
        part = [row for row in reviews if row["noise"] == noise]
        cells = []
        for step in ("before", "train reviewed", "both reviewed"):
            on = [np.mean([row[step][key] for row in part]) for key in ("on the labels", "on the truth")]  # type: ignore[index]
            cells.append(f"{step} {on[0]:.3f} ({on[1]:.3f})")
        print(f"{noise:9s} " + ", ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", default="/tmp/peers/bin/python", help="Python that has cleanlab")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    rows, reviews = [], []
    for data in (read_digits(), read_fashion()):
        near = boundary(data)
        for noise in NOISES:
            for seed in range(options.seeds):
                rows.append(compare(data, noise, near, 100 + seed, options.peers))
                if data.test.any():
                    reviews.append(review(data, noise, near, 100 + seed))
            print(f"{data.name} {noise}: done", flush=True)
    summary = show(rows, reviews)
    print(f"wrote {write_results('curate_labels', {**summary, 'rows': rows, 'reviews': reviews})}")


if __name__ == "__main__":
    main()
