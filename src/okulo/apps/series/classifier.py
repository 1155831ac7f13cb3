"""A classifier learnt from named groups: it says a name, or "don't know"; kept as plain numbers in JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from okulo.apps.series.groups import find_cells, nearest
from okulo.apps.series.normal import Normal, patterns, unlike
from okulo.core.errors import BadInput
from okulo.evaluate.rules import best_trade, threshold_at
from okulo.metrics.reject import RejectCurve, reject_curve

FORMAT = 1
PER_CLASS = 4000
FOLDS = 3
PROTOTYPES = 8
REACH = 0.995
"""A prototype's reach holds this share of its class; what lies beyond all of them was never seen."""

SLACK = 1.25


@dataclass(frozen=True)
class Answers:
    """Row by row: the name that fits best, how surely, and whether it is given as the answer."""

    best: Int64[np.ndarray, " n"]
    confidence: Float32[np.ndarray, " n"]
    known: Bool[np.ndarray, " n"]
    strange: Bool[np.ndarray, " n"]
    """Unlike everything that has a name."""
    unlike: Float32[np.ndarray, " n"]


@dataclass(frozen=True)
class Classifier:
    """Multinomial logistic regression on deviations from normal, a threshold, and prototypes with a reach."""

    names: tuple[str, ...]
    normal: Normal
    mean: Float64[np.ndarray, " d"]
    scale: Float64[np.ndarray, " d"]
    weight: Float64[np.ndarray, "k d"]
    bias: Float64[np.ndarray, " k"]
    threshold: float
    prototype: Float32[np.ndarray, "p d"]
    owner: Int64[np.ndarray, " p"]
    reach: Float64[np.ndarray, " p"]

    def probabilities(self, z: Float32[np.ndarray, "n d"]) -> Float64[np.ndarray, "n k"]:
        """Softmax of the classes' scores."""
        score = ((squeeze(z) - self.mean) / self.scale) @ self.weight.T + self.bias
        score -= score.max(axis=1, keepdims=True)
        power: np.ndarray = np.exp(score)
        power /= power.sum(axis=1, keepdims=True)
        return power

    def answer(self, features: Float32[np.ndarray, "n d"], length: Float32[np.ndarray, " n"]) -> Answers:
        """Name recordings; below the threshold, or unlike everything that has a name, it does not know."""
        z = self.normal.deviations(features, length)
        probability = self.probabilities(z)
        best = probability.argmax(axis=1).astype(np.int64)
        confidence = probability[np.arange(len(z)), best].astype(np.float32)
        strange = ~self.near(patterns(z), best)
        return Answers(best, confidence, (confidence >= self.threshold) & ~strange, strange, unlike(z))

    def near(self, rows: Float32[np.ndarray, "n d"], best: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Whether a row lies within reach of a prototype of the class it is taken for."""
        inside = np.zeros(len(rows), bool)
        for place in range(len(self.prototype)):
            mine = np.flatnonzero(self.owner[place] == best)
            away = np.linalg.norm(rows[mine] - self.prototype[place], axis=1)
            inside[mine] |= away <= self.reach[place]
        return inside

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        arrays = {name: getattr(self, name).tolist() for name in ARRAYS}
        said = {"format": FORMAT, "names": list(self.names), "threshold": self.threshold}
        return {**said, "normal": self.normal.to_json(), **arrays}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Classifier":
        """Read what `to_json` gave."""
        if said.get("format") != FORMAT:
            raise BadInput(
                "classifier", wanted=f"format {FORMAT}", got=said.get("format"), hint="update okulo"
            )
        try:
            arrays = {name: np.asarray(said[name], kind) for name, kind in ARRAYS.items()}
            names, threshold = tuple(said["names"]), float(said["threshold"])
            made = cls(names=names, threshold=threshold, normal=Normal.from_json(said["normal"]), **arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput("classifier", f"cannot be read ({error})") from error
        if made.weight.shape != (len(names), len(made.normal.names)):
            raise BadInput("classifier", wanted="one weight a name and feature", got=made.weight.shape)
        return made


ARRAYS: Mapping[str, type[np.generic]] = {
    "mean": np.float64,
    "scale": np.float64,
    "weight": np.float64,
    "bias": np.float64,
    "prototype": np.float32,
    "owner": np.int64,
    "reach": np.float64,
}


def squeeze(z: Float32[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
    """Deviations with their far ends drawn in: sign(z) log(1 + |z|).

    >>> squeeze(np.float32([[0, -100]])).round(2).tolist()
    [[0.0, -4.62]]
    """
    drawn: np.ndarray = np.sign(z) * np.log1p(np.abs(z))
    return drawn.astype(np.float64)


@dataclass(frozen=True)
class Learnt:
    """A classifier, and what it did on rows it had not seen."""

    classifier: Classifier
    curve: RejectCurve
    rows: int


def learn(
    names: tuple[str, ...],
    normal: Normal,
    z: Float32[np.ndarray, "n d"],
    label: Int64[np.ndarray, " n"],
    seed: int = 0,
) -> Learnt:
    """Train on rows whose label is an index into `names`; the threshold is chosen on answers out of fold.

    Up to 4,000 rows a class are used, weighted so that the classes count as they occur. The threshold is the
    one that removes the most errors for the answers it gives up.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    rng = np.random.default_rng(seed)
    counts = np.bincount(label, minlength=len(names))
    if len(names) < 2 or counts.min() < FOLDS:
        few = [name for name, count in zip(names, counts) if count < FOLDS]
        raise BadInput("names", wanted=f"two or more, each with {FOLDS} recordings", got=few or names)
    chosen = np.concatenate(
        [rng.permutation(np.flatnonzero(label == k))[:PER_CLASS] for k in range(len(names))]
    )
    target = label[chosen]
    taken = np.bincount(target, minlength=len(names))
    weight = (counts / taken)[target]
    weight /= weight.mean()
    x = squeeze(z[chosen])
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    x = (x - mean) / scale

    def trained(rows: np.ndarray) -> Any:
        # Rare classes would drown at their true weight: the root keeps them alive.
        return LogisticRegression(C=1.0, max_iter=300).fit(x[rows], target[rows], np.sqrt(weight[rows]))

    confidence, right = np.empty(len(x)), np.empty(len(x), bool)
    for fit, rest in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(x, target):
        said = trained(fit).predict_proba(x[rest])
        confidence[rest] = said.max(axis=1)
        right[rest] = said.argmax(axis=1) == target[rest]
    curve = reject_curve(confidence, right)
    model = trained(np.arange(len(x)))
    coef, bias = _both(model.coef_, model.intercept_)
    rows = patterns(z[chosen])
    prototype, owner, reach = _prototypes(rows, target, len(names), seed)
    threshold = max(threshold_at(curve, best_trade(curve)) if curve.has else 0.0, 0.5)
    made = Classifier(names, normal, mean, scale, coef, bias, threshold, prototype, owner, reach)
    return Learnt(made, curve, len(chosen))


def _both(coef: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two classes have one row of weights in scikit-learn: give each its own (softmax of ± half)."""
    if len(coef) > 1:
        return coef, bias
    return np.concatenate([-coef / 2, coef / 2]), np.concatenate([-bias / 2, bias / 2])


def _prototypes(
    rows: Float32[np.ndarray, "n d"], target: Int64[np.ndarray, " n"], classes: int, seed: int
) -> tuple[Float32[np.ndarray, "p d"], Int64[np.ndarray, " p"], Float64[np.ndarray, " p"]]:
    """A few centres of every class, and how far its members lie from the nearest of them."""
    centres, owners, reaches = [], [], []
    for k in range(classes):
        mine = rows[target == k]
        centre = find_cells(mine, max(1, min(PROTOTYPES, len(mine) // 20)), seed)
        away = np.linalg.norm(mine - centre[nearest(mine, centre)], axis=1)
        centres.append(centre)
        owners.append(np.full(len(centre), k, np.int64))
        reaches.append(np.full(len(centre), SLACK * float(np.quantile(away, REACH)) + 0.5))
    return np.concatenate(centres), np.concatenate(owners), np.concatenate(reaches)
