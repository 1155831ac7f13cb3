"""Mending the tracks of a recording: who came back is who went, and hidden ones are filled in."""

import numpy as np
import pytest

from okulo.algo.track import track
from okulo.algo.track_mend import Mending, fill, join, mend
from okulo.algo.track_scenes import Scene, simulate
from okulo.core.errors import BadInput
from okulo.core.nouns import Tracks
from okulo.metrics.tracking import tracking_scores


def walk(number: int, times: list[float], speed: float, start: float = 0.0) -> Tracks:
    x = np.array([start + speed * t for t in times], np.float32)
    xyxy = np.stack([x, x * 0, x + 20, x * 0 + 40], axis=1)
    n = len(times)
    return Tracks(np.full(n, number), np.array(times), xyxy, np.ones(n, np.float32), np.zeros(n, np.int32))


def both(*parts: Tracks) -> Tracks:
    names = ("track", "time_s", "xyxy", "score", "label")
    return Tracks(*(np.concatenate([getattr(each, name) for each in parts]) for name in names))


BEFORE, AFTER = [0.0, 0.1, 0.2, 0.3], [0.9, 1.0, 1.1, 1.2]


def test_who_goes_on_as_expected_is_the_same() -> None:
    tracks = both(walk(1, BEFORE, 50), walk(2, AFTER, 50))
    assert set(join(tracks).track) == {1}
    times = np.arange(13) / 10
    whole = mend(tracks, times)
    np.testing.assert_allclose(whole.time_s, times)
    np.testing.assert_allclose(whole.xyxy[:, 0], 50 * times, atol=1e-4)
    assert (whole.score == 0).sum() == 5


@pytest.mark.parametrize(
    "other",
    [
        walk(2, AFTER, 50, start=400),  # somewhere else
        walk(2, [t + 3 for t in AFTER], 50),  # too late
        walk(2, [0.25, 0.35, 0.45], 50),  # both are seen at once
    ],
)
def test_others_stay_others(other: Tracks) -> None:
    assert set(join(both(walk(1, BEFORE, 50), other)).track) == {1, 2}


def test_only_gaps_that_are_short_enough_are_filled() -> None:
    gap = walk(1, [0.0, 0.1, 0.4], 10)
    times = np.arange(5) / 10
    assert len(fill(gap, times, 0.31)) == 5 and len(fill(gap, times, 0.2)) == 3


def test_mending_helps_on_scenes_and_hurts_nowhere() -> None:
    truth, frames = simulate(Scene(objects=15, seconds=8), np.random.default_rng(5))
    plain = track(frames)
    before = tracking_scores(truth, plain)
    after = tracking_scores(truth, mend(plain, np.array([time_s for time_s, _ in frames])))
    assert after.idf1 > before.idf1 + 0.01 and after.mota > before.mota + 0.01


def test_nothing_is_mended_to_nothing() -> None:
    none = walk(1, [], 1)
    assert len(mend(none, np.zeros(0))) == 0
    with pytest.raises(BadInput, match="join_s"):
        Mending(join_s=-1)
