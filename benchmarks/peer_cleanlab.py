"""Rank labels with cleanlab, in its own environment (it is AGPL: never imported by okulo).

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install cleanlab
    /tmp/peers/bin/python benchmarks/peer_cleanlab.py IN.npz OUT.npz

IN holds `labels` and `probabilities`; OUT gets the quality by each of its scores (low is bad) and its mask.
"""

import sys

import cleanlab
import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def main() -> None:
    held = np.load(sys.argv[1])
    labels, probabilities = held["labels"], held["probabilities"]
    scores = {how: get_label_quality_scores(labels, probabilities, method=how) for how in SCORES}
    mask = find_label_issues(labels, probabilities)
    np.savez(sys.argv[2], version=cleanlab.__version__, mask=mask, **scores)


if __name__ == "__main__":
    main()
