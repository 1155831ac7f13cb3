"""MOTA and IDF1 against py-motmetrics, on its own two scenes and on simulated ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.outside import missing, needs

from okulo.algo.track import track
from okulo.algo.track_scenes import Scene, simulate
from okulo.core.nouns import Tracks
from okulo.metrics.tracking import _iou, tracking_scores

motmetrics = needs("motmetrics")
SCENES = Path(motmetrics.__file__).parent / "data"


def read(path: Path) -> Tracks:
    if not path.exists():
        missing("motmetrics' data", "pip install motmetrics")
    rows = np.loadtxt(path, delimiter=",")
    xyxy = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1).astype(np.float32)
    n = len(rows)
    return Tracks(
        rows[:, 1].astype(np.int64), rows[:, 0] / 25, xyxy, np.ones(n, np.float32), np.zeros(n, np.int32)
    )


def theirs(truth: Tracks, guess: Tracks) -> pd.Series:
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for t in np.unique(np.concatenate([truth.time_s, guess.time_s])):
        a, b = truth.time_s == t, guess.time_s == t
        iou = _iou(truth.xyxy[a], guess.xyxy[b])  # its own does not run under NumPy 2
        distance = np.where(iou >= 0.5, 1 - iou, np.nan)
        accumulator.update(truth.track[a].tolist(), guess.track[b].tolist(), distance)
    names = ["mota", "idf1", "idp", "idr", "num_switches", "num_misses", "num_false_positives"]
    return motmetrics.metrics.create().compute(accumulator, metrics=names).iloc[0]


def agree(truth: Tracks, guess: Tracks) -> None:
    said, ours = theirs(truth, guess), tracking_scores(truth, guess)
    assert (ours.switches, ours.missed, ours.invented) == (
        said["num_switches"],
        said["num_misses"],
        said["num_false_positives"],
    )
    np.testing.assert_allclose(
        [ours.mota, ours.idf1, ours.idp, ours.idr], [said[name] for name in ("mota", "idf1", "idp", "idr")]
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "mota", "idf1"), [("TUD-Campus", 0.526, 0.558), ("TUD-Stadtmitte", 0.564, 0.645)]
)
def test_on_real_scenes_as_py_motmetrics_says(name: str, mota: float, idf1: float) -> None:
    truth, guess = read(SCENES / name / "gt.txt"), read(SCENES / name / "test.txt")
    agree(truth, guess)
    scores = tracking_scores(truth, guess)
    assert (scores.mota, scores.idf1) == (pytest.approx(mota, abs=5e-4), pytest.approx(idf1, abs=5e-4))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_on_crowded_simulated_scenes(seed: int) -> None:
    scene = Scene(objects=25, seconds=4, width_px=700, height_px=500)
    truth, frames = simulate(scene, np.random.default_rng(seed))
    agree(truth, track(frames))


def test_a_perfect_answer_is_1_and_none_is_0() -> None:
    truth, _ = simulate(Scene(objects=3, seconds=1), np.random.default_rng(0))
    nothing = Tracks(*(getattr(truth, name)[:0] for name in ("track", "time_s", "xyxy", "score", "label")))
    assert (tracking_scores(truth, truth).mota, tracking_scores(truth, truth).idf1) == (1, 1)
    assert (tracking_scores(truth, nothing).mota, tracking_scores(truth, nothing).idf1) == (0, 0)
    assert np.isnan(tracking_scores(nothing, nothing).mota)
