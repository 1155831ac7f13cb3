"""Labelled pictures whose truth is known, with wrong labels planted, for `curate_labels.py` and `pick.py`."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.svm import SVC

from okulo.io.images import read_image
from okulo.io.samples import find_sample, unpack

NOISES = ("uniform", "pairwise", "hard")


@dataclass(frozen=True)
class Labelled:
    """Vectors `(n, d)`, true classes, and which rows are the test part (none of them in digits)."""

    name: str
    vectors: np.ndarray
    truth: np.ndarray
    test: np.ndarray

    @property
    def classes(self) -> int:
        return int(self.truth.max()) + 1


def read_fashion() -> Labelled:
    """The packed Fashion-MNIST sample: 10,000 training and 2,000 test pictures as 64 principal components."""
    pixels, labels, test = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        unpack(find_sample("fashion"), Path(folder) / "fashion")
        for path in sorted((Path(folder) / "fashion").glob("*/*/*.png")):
            pixels.append(read_image(path)[:, :, 0].ravel())
            labels.append(path.parent.name)
            test.append(path.parent.parent.name == "test")
    _, truth = np.unique(labels, return_inverse=True)
    grey = np.float32(pixels)
    vectors = PCA(64, random_state=0).fit(grey[~np.array(test)]).transform(grey)
    return Labelled("fashion", vectors.astype(np.float32), truth.astype(np.int64), np.array(test))


def read_digits() -> Labelled:
    """scikit-learn's 1,797 digits, their 64 pixels."""
    data = load_digits()
    test = np.zeros(len(data.target), bool)
    return Labelled("digits", data.data.astype(np.float32), data.target.astype(np.int64), test)


def boundary(data: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """How near each item is to a class boundary (margin, small is near), and the class beyond it.

    By a support vector machine with a Gaussian kernel on the *true* labels, out of fold: a kind of model that
    neither okulo nor the peer's probabilities come from here.
    """
    model = SVC(C=5, gamma="scale")
    folds = StratifiedKFold(3, shuffle=True, random_state=5)
    scores = cross_val_predict(model, data.vectors, data.truth, cv=folds, method="decision_function")
    rows = np.arange(len(scores))
    own = scores[rows, data.truth]
    others = scores.copy()
    others[rows, data.truth] = -np.inf
    return np.abs(own - others.max(axis=1)), others.argmax(axis=1)


def plant(
    data: Labelled, noise: str, near: tuple[np.ndarray, np.ndarray], share: float, rng: np.random.Generator
) -> np.ndarray:
    """Replace a share of the labels: by any class; always the next; or, near a boundary, the one beyond."""
    n, k = len(data.truth), data.classes
    count = round(share * n)
    given = data.truth.copy()
    if noise == "hard":
        margin, beyond = near
        nearest = np.argsort(margin, kind="stable")[: 2 * count]
        chosen = rng.choice(nearest, count, replace=False)
        given[chosen] = beyond[chosen]
        return given
    chosen = rng.choice(n, count, replace=False)
    step = 1 if noise == "pairwise" else rng.integers(1, k, count)
    given[chosen] = (given[chosen] + step) % k
    return given
