"""Our metrics beside scikit-learn's and torchmetrics', and the reject curve beside a naive loop.

    python benchmarks/evaluate.py            # a minute; writes benchmarks/results/evaluate.json

Same data, same process, median of the repeats; CPU time of the process, so that a busy machine matters less.
Where the figures can be compared, they must agree, else it fails.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np

from machine import write_results
from okulo.metrics.accuracy import top_k_accuracy
from okulo.metrics.brier import brier
from okulo.metrics.calibration import calibration_error, reliability
from okulo.metrics.confusion import confusion
from okulo.metrics.likelihood import negative_log_likelihood
from okulo.metrics.multilabel import mean_average_precision
from okulo.metrics.per_class import macro, per_class
from okulo.metrics.reject import reject_curve


def cpu_ms(work: Callable[[], object], repeats: int) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(1000 * (time.process_time() - start))
    return statistics.median(times)


GRID = np.linspace(0, 0.5, 1000)


def naive_curve(confidence: np.ndarray, right: np.ndarray) -> float:
    """What one writes in a notebook: a mask for every threshold of a grid. Gives the sum of the risks."""
    total = 0.0
    for threshold in GRID:
        kept = confidence >= threshold
        total += (kept & ~right).sum() / kept.sum()
    return float(total)


def our_curve(confidence: np.ndarray, right: np.ndarray) -> float:
    """Every threshold there is, read at the same grid."""
    curve = reject_curve(confidence, right)
    return float(curve.risk[np.searchsorted(curve.threshold, GRID)].sum())


def cases(n: int, k: int) -> list[tuple[str, str, Callable[[], float], Callable[[], float]]]:
    import sklearn.metrics as sk
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    rng = np.random.default_rng(0)
    truth = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) + 3 * np.eye(k)[truth]
    raised = np.exp(logits)
    wide = raised / raised.sum(axis=1, keepdims=True)
    probabilities = wide.astype(np.float32)
    guess, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = guess == truth
    tensors = torch.from_numpy(probabilities), torch.from_numpy(truth)
    many = rng.random((n, 20)) < 0.2
    scores = rng.random((n, 20)) + many

    def f1() -> float:
        got = per_class(confusion(truth, guess, classes=k))
        return macro(got.f1, got.support)

    def torch_ece() -> float:
        return float(multiclass_calibration_error(*tensors, num_classes=k, n_bins=15))

    return [
        ("confusion", "scikit-learn", lambda: float(confusion(truth, guess, classes=k).trace()),
         lambda: float(sk.confusion_matrix(truth, guess).trace())),
        ("macro F1", "scikit-learn", f1, lambda: float(sk.f1_score(truth, guess, average="macro"))),
        ("top-5 accuracy", "scikit-learn", lambda: top_k_accuracy(truth, wide, k=5),
         lambda: float(sk.top_k_accuracy_score(truth, wide, k=5))),
        ("Brier", "scikit-learn", lambda: brier(truth, wide),
         lambda: float(sk.brier_score_loss(truth, wide, scale_by_half=False))),
        ("log loss", "scikit-learn", lambda: negative_log_likelihood(truth, wide),
         lambda: float(sk.log_loss(truth, wide))),
        ("ECE", "torchmetrics",
         lambda: calibration_error(reliability(probabilities.max(axis=1), right)), torch_ece),
        ("mAP, 20 labels", "scikit-learn", lambda: mean_average_precision(many, scores),
         lambda: float(sk.average_precision_score(many, scores, average="macro"))),
        ("reject curve", "loop, 1000 steps", lambda: our_curve(confidence, right),
         lambda: naive_curve(confidence, right)),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=43)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    print(f"{options.rows:,} rows, {options.classes} classes; CPU ms, median of {options.repeats}")
    print(f"{'metric':22} {'peer':18} {'okulo':>9} {'peer':>9} {'peer/okulo':>11}")
    for name, peer, ours, theirs in cases(options.rows, options.classes):
        if abs(ours() - theirs()) > 1e-5 * max(1.0, abs(theirs())):
            raise SystemExit(f"{name}: {ours()} here, {theirs()} by {peer}")
        mine, other = cpu_ms(ours, options.repeats), cpu_ms(theirs, options.repeats)
        print(f"{name:22} {peer:18} {mine:9.1f} {other:9.1f} {other / mine:10.1f}x")
        rows.append({"metric": name, "peer": peer, "okulo_ms": mine, "peer_ms": other, "ratio": other / mine})
    write_results("evaluate", {"options": vars(options), "rows": rows})


if __name__ == "__main__":
    main()
