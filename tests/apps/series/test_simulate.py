"""The simulator makes what it says."""

import numpy as np
import pytest

from okulo.apps.series.simulate import FAULTS, KINDS, simulate, simulate_parts
from okulo.core.errors import BadInput


def test_shares_lengths_and_shifts() -> None:
    made = simulate(40_000, np.random.default_rng(3))
    length = np.diff(made.series.offsets)
    whole = made.kind != KINDS.index("short")
    assert length[whole].min() >= 50
    assert length[whole].max() <= 100
    assert 58 < length[whole].mean() < 62
    assert 0.14 < (made.kind > len(FAULTS)).mean() < 0.16
    good = made.kind <= len(FAULTS)
    assert 0.945 < (made.kind[good] == 0).mean() < 0.955
    starts = np.array([np.argmax(v > 0.5) for v, k in zip(made.series, made.kind) if k == 0][:3000])
    assert starts.min() >= 2
    assert starts.max() <= 14


def test_the_same_seed_makes_the_same_part_by_part() -> None:
    first, second = (list(simulate_parts(500, 9, part=200)) for _ in range(2))
    assert [len(part.series) for part in first] == [200, 200, 100]
    assert np.concatenate([part.series.id for part in first]).tolist() == list(range(1, 501))
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a.series.values, b.series.values)


def test_unknown_families_are_refused() -> None:
    with pytest.raises(BadInput, match="faults: expected shares below 1 in all, of low peak"):
        simulate(10, np.random.default_rng(0), faults={"explodes": 0.1})
