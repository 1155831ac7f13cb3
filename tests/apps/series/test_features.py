"""Features: by hand, against numpy, and unmoved by a shift."""

from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.outside import needs

from okulo.apps.series import feature_kernels as kernels
from okulo.apps.series.feature_list import FEATURES, NAMES, SHAPE
from okulo.apps.series.features import FeaturesParams, compute, local, run
from okulo.apps.series.on_ray import on_ray
from okulo.apps.series.simulate import FAULTS, simulate
from okulo.apps.series.store import Store, pieces
from okulo.core.errors import BadInput
from okulo.core.nouns import Series


def series_of(*rows: list[float] | np.ndarray) -> Series:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    values = np.concatenate([np.asarray(row, np.float32) for row in rows]).astype(np.float32)
    return Series(np.arange(len(rows), dtype=np.int64), values, offsets)


def one(row: list[float] | np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, compute(series_of(row))[0].tolist()))


PLAIN = np.float64([0] * 6 + [3, 9, 5] + [1] * 26 + [0] * 8)


def test_by_hand() -> None:
    found = one(PLAIN)
    assert found["length"] == 43
    assert found["missing"] == 0
    assert found["highest"] == 9
    assert found["peak_height"] == 9
    assert found["peak_rise"] == 8
    assert found["plateau_level"] == 1
    assert found["plateau_noise"] == pytest.approx(0, abs=1e-6)
    assert found["peak_position"] == pytest.approx(7 - found["start"], abs=1e-5)
    assert found["peak_width"] == pytest.approx(
        4 / 6 + 1, abs=1e-5
    )  # 5 is crossed from 3 to 9, and at 5 itself
    assert found["energy"] == pytest.approx((PLAIN**2).mean(), rel=1e-6)
    assert found["roughness"] == pytest.approx(np.abs(np.diff(PLAIN)).mean(), rel=1e-6)
    assert found["longest_same"] == 26
    assert found["tail"] == 0
    assert found["work"] == pytest.approx(29.407, abs=0.01)  # the threshold is 0.3 × 43 / 29, rest is 0


@given(st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_a_shift_changes_nothing_but_when_it_started(shift: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    faults = {name: 0.05 for name in FAULTS if name != "stuck"}  # a stuck one never comes to rest
    made = simulate(1, rng, faults=faults, garbage=0, shift=0)
    row = made.series.values.astype(np.float64)
    row = np.where(np.isfinite(row), row, 1.0)
    quiet = rng.normal(0, 1e-3, 5)
    first = one(np.concatenate([quiet, row]))
    moved = one(np.concatenate([row[:0], quiet[: 5 - shift], row, quiet[5 - shift :]]))
    timed = {"start", "idle", "tail", "longest_same"}  # (values at rest may be equal by chance)
    for name in SHAPE:
        if name not in timed and not (np.isnan(first[name]) and np.isnan(moved[name])):
            assert moved[name] == pytest.approx(first[name], abs=0.02, rel=0.02), name


def test_drift_oscillation_and_flat_tops_are_seen() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(26)

    def with_plateau(change: np.ndarray) -> dict[str, float]:
        row = PLAIN + rng.normal(0, 0.01, len(PLAIN))
        row[9:35] += change
        return one(row)

    assert with_plateau(0.5 * t / 25)["plateau_drift"] == pytest.approx(0.3, abs=0.12)
    waves = with_plateau(0.2 * np.sin(2 * np.pi * t / 5))
    assert waves["plateau_noise"] == pytest.approx(0.2 / np.sqrt(2), rel=0.15)
    assert waves["autocorrelation_low"] < -0.6
    assert waves["band_middle"] > 2 * max(waves["band_slow"], waves["band_fast"])
    clipped = one(np.minimum(PLAIN, 4))
    assert clipped["peak_flat"] == 2
    double = PLAIN.copy()
    double[18:20] = [4, 6]
    assert one(double)["second_peak"] == pytest.approx(5)


def test_gaps_are_bridged() -> None:
    holed = PLAIN.copy()
    holed[[0, 15, 16, 42]] = [np.nan, np.nan, np.inf, -np.inf]
    found, whole = one(holed), one(PLAIN)
    assert found["missing"] == pytest.approx(4 / 43)
    assert found["longest_gap"] == 2
    for name in SHAPE:
        assert found[name] == pytest.approx(whole[name], abs=1e-5, nan_ok=True), name


@pytest.mark.parametrize(
    "row", [[], [np.nan] * 60, [np.inf] * 60, [2.0], [0.0] * 60, [5.0] * 60, [1e30] * 30 + [-1e30] * 30]
)
def test_recordings_that_say_nothing_do_not_break_it(row: list[float]) -> None:
    found = one(row)
    assert found["length"] == len(row)
    assert not found["work"] > 0 or row[:1] == [1e30]


def test_parallel_is_serial_and_order_does_not_matter() -> None:
    made = simulate(3000, np.random.default_rng(1)).series
    together = compute(made)
    alone = np.concatenate([compute(series_of(row)) for row in list(made)[:300]])
    np.testing.assert_array_equal(together[:300], alone)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        np.testing.assert_array_equal(compute(made), together)
    finally:
        numba.set_num_threads(threads)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=100))
def test_sorting_and_quantiles_against_numpy(values: list[float]) -> None:
    into = np.empty(len(values), np.float32)
    kernels.sort_into(np.float32(values), len(values), into)
    np.testing.assert_array_equal(into, np.sort(np.float32(values)))
    for share in (0.0, 0.25, 0.4, 1.0):
        expected = np.quantile(into.astype(np.float64), share)
        assert kernels.quantile(into, len(into), share) == pytest.approx(expected, rel=1e-5, abs=1e-3)


def test_the_table_and_the_parts_agree(done: Path) -> None:
    store = Store(done)
    table = store.read_table("features")
    assert table["id"].to_list() == [int(i) for part in pieces(store) for i in part.id]
    assert table.columns == ["id", *NAMES]
    with pytest.raises(BadInput, match="exists already; --replace makes it anew"):
        run(FeaturesParams(store=done))


def test_every_feature_is_explained() -> None:
    report = run(FeaturesParams(explain=True))
    assert len(report.features) == len(set(NAMES)) == 34
    for each in FEATURES:
        assert each.says
        assert each.formula
        assert each.quality or (each.high and each.low)


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no recordings; `okulo series import"):
        run(FeaturesParams(store=tmp_path))
    with pytest.raises(BadInput, match="store: expected the folder"):
        FeaturesParams()
    (tmp_path / "series").mkdir()
    (tmp_path / "import.json").write_text('{"complete": true}')
    (tmp_path / "series" / "00000.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(BadInput, match="cannot be read as a part of a store"):
        run(FeaturesParams(store=tmp_path))
    assert not (tmp_path / "features.parquet").exists()


class FakeRay:
    """Ray in this process: it works a task off when it is given, and notes how it was started."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def is_initialized(self) -> bool:
        return False

    def init(self, address: str, **options: object) -> None:
        self.said.append((address, "include_dashboard" in options))

    def remote(self, **options: object) -> object:
        return lambda work: SimpleNamespace(remote=work)

    def get(self, answer: object) -> object:
        return answer

    def shutdown(self) -> None:
        self.said.append("shut down")


@pytest.mark.parametrize(
    ("given", "started"), [("", ("local", True)), ("ray://there:1", ("ray://there:1", False))]
)
def test_ray_is_the_one_that_is_named_or_one_of_its_own(
    done: Path, monkeypatch: pytest.MonkeyPatch, given: str, started: tuple[str, bool]
) -> None:
    """A cluster that died leaves a note on the machine; Ray would wait for it."""
    ray = FakeRay()
    monkeypatch.setattr("okulo.io.clusters.need", lambda *names, **options: ray)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if given:
        monkeypatch.setenv("RAY_ADDRESS", given)
    store = Store(done)
    found = np.concatenate([features for _, features in on_ray(store, compute, 2)])
    np.testing.assert_array_equal(found, np.concatenate([features for _, features in local(store)]))
    assert ray.said == [started, "shut down"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_on_ray_says_the_same(done: Path, tmp_path: Path) -> None:
    needs("ray", "pip install 'okulo[ray]'")
    (tmp_path / "series").symlink_to(done / "series")
    (tmp_path / "import.json").write_text('{"complete": true}')
    report = run(FeaturesParams(store=tmp_path, engine="ray"))
    assert report.file is not None
    assert pl.read_parquet(report.file).equals(pl.read_parquet(done / "features.parquet"), null_equal=True)
