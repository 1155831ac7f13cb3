"""Families of faults become groups of their own, the rare as well, and the ranking goes by unlikeness."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from okulo.apps.series.clean import CleanParams
from okulo.apps.series.clean import run as clean
from okulo.apps.series.cluster import ClusterParams, run
from okulo.apps.series.features import FeaturesParams, compute, matrix, to_frame
from okulo.apps.series.features import run as features
from okulo.apps.series.groups import find_groups, nearest, rank
from okulo.apps.series.methods import METHODS
from okulo.apps.series.normal import fit, patterns, unlike
from okulo.apps.series.simulate import FAULTS, KINDS, Simulated, simulate, simulate_parts
from okulo.apps.series.store import Store
from okulo.core.errors import BadInput
from okulo.core.nouns import Series
from okulo.io.files import read_json, write_json


def truth_and_groups(root: Path, made: Simulated) -> tuple[np.ndarray, np.ndarray]:
    group = pl.read_parquet(root / "groups.parquet")["group"]
    kept = group.is_not_null().to_numpy()
    return made.kind[kept], group.drop_nulls().to_numpy()


def test_larger_families_are_groups_of_their_own(done: Path, made: Simulated) -> None:
    truth, group = truth_and_groups(done, made)
    assert (group[truth == 0] == 0).mean() > 0.99
    for name in ("low peak", "noisy", "no peak", "drift"):
        mine = truth == KINDS.index(name)
        best = np.bincount(group[mine & (group > 0)]).argmax()
        assert mine[group == best].mean() >= 0.8, name
        assert (group[mine] == best).mean() > 0.5, name
    faults = (truth > 0) & (group > 0)
    assert adjusted_rand_score(truth[faults], group[faults]) > 0.6


def test_groups_are_ranked_and_explained(done: Path) -> None:
    report = read_json(done / "groups.json")["report"]
    how = [each["unlike"] for each in report["groups"]]
    assert how == sorted(how, reverse=True)
    assert [each["group"] for each in report["groups"]] == list(range(1, len(how) + 1))
    assert (
        sum(each["size"] for each in report["groups"]) + report["normal"] + report["odd"] + report["excluded"]
        == report["series"]
    )
    words = {trait["words"] for each in report["groups"] for trait in each["traits"]}
    assert {"noisy plateau", "lower peak", "plateau rises"} <= words
    assert 0 < report["look"]["stability"] <= 1
    assert report["look"]["tries"][0]["k"] == 2


def test_a_shift_of_five_changes_no_group() -> None:
    """Recordings and the same ones started up to five samples later get the same group."""
    rng = np.random.default_rng(5)
    made = simulate(30_000, rng, garbage=0)
    found = compute(made.series)
    names = tuple(n for n in to_frame([(made.series.id, found)]).columns if n != "id")
    frame = to_frame([(made.series.id, found)])
    from okulo.apps.series.feature_list import SHAPE

    model = fit(SHAPE, matrix(frame), frame["length"].to_numpy(), rng)
    z = model.deviations(matrix(frame), frame["length"].to_numpy())
    odd = unlike(z) > 2
    cells = find_groups(patterns(z[odd]), least=20)
    before = cells.assign(patterns(z[odd]))
    start = frame["start"].to_numpy()  # those that started late enough, so that all stay within ± 5
    moved = [np.roll(row, -3) if s >= 7 else row for row, s in zip(made.series, start)]
    offsets = made.series.offsets
    again = compute(Series(made.series.id, np.concatenate(moved).astype(np.float32), offsets))
    after_z = model.deviations(again[:, [names.index(n) for n in SHAPE]], frame["length"].to_numpy())
    after = cells.assign(patterns(after_z[odd]))
    skipped = [
        KINDS.index(name) for name in ("normal", "late start", "stuck")
    ]  # a stuck one never comes to rest
    faults = ~np.isin(made.kind[odd], skipped)
    assert (before == after)[faults].mean() > 0.97


def test_a_rare_blob_is_found_beside_a_large_one() -> None:
    rng = np.random.default_rng(0)
    blobs = [rng.normal(c, 1, (n, 5)) for c, n in ((0, 8000), (7, 40), (-7, 900))]
    rows = np.float32(np.concatenate(blobs))
    group = find_groups(rows, cells=40).assign(rows)
    truth = np.repeat([0, 1, 2], [8000, 40, 900])
    assert adjusted_rand_score(truth, group) > 0.95
    assert len(set(group[truth == 1]) & set(group[truth != 1])) == 0


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_groups(done: Path, made: Simulated, tmp_path: Path, method: str) -> None:
    for name in ("series", "features.parquet", "clean.parquet", "import.json"):
        (tmp_path / name).symlink_to(done / name)
    report = run(ClusterParams(store=tmp_path, method=method, clusters=16, look=False))
    assert len(report.groups) >= 2
    truth, group = truth_and_groups(tmp_path, made)
    inside = (truth > 0) & (group > 0)
    assert adjusted_rand_score(truth[inside], group[inside]) > 0.4


def test_features_pca_and_no_setting_apart(done: Path, tmp_path: Path) -> None:
    for name in ("series", "features.parquet", "clean.parquet", "import.json"):
        (tmp_path / name).symlink_to(done / name)
    some = "peak_height,work,plateau_noise"
    report = run(ClusterParams(store=tmp_path, features=some, pca=2, look=False))
    assert {trait.feature for each in report.groups for trait in each.traits} <= set(some.split(","))
    whole = ClusterParams(store=tmp_path, apart=False, method="kmeans", clusters=8, replace=True, pca=0.9)
    assert run(whole).normal == 0
    with pytest.raises(BadInput, match="feature peak_hight: is not known; did you mean 'peak_height'"):
        run(ClusterParams(store=tmp_path, features="peak_hight", replace=True))
    with pytest.raises(BadInput, match=r"groups.parquet: exists already; --replace"):
        run(ClusterParams(store=tmp_path))


def test_one_recording_alone(tmp_path: Path) -> None:
    made = simulate(40, np.random.default_rng(0), garbage=0)
    first = Series(made.series.id[:1], made.series.values[: made.series.offsets[1]], made.series.offsets[:2])
    store = Store(tmp_path)
    store.write_part(0, first)
    write_json(store.manifest, {"complete": True})
    features(FeaturesParams(store=tmp_path))
    clean(CleanParams(store=tmp_path, plot=False))
    report = run(ClusterParams(store=tmp_path))
    assert (report.normal, report.groups, report.look) == (1, (), None)


def test_tables_of_other_recordings_are_refused(done: Path, tmp_path: Path) -> None:
    for name in ("series", "features.parquet", "import.json"):
        (tmp_path / name).symlink_to(done / name)
    pl.read_parquet(done / "clean.parquet").head(50).write_parquet(tmp_path / "clean.parquet")
    with pytest.raises(BadInput, match="speak of different recordings"):
        run(ClusterParams(store=tmp_path))
    (tmp_path / "features.parquet").unlink()
    with pytest.raises(BadInput, match=r"features.parquet: does not exist; `okulo series features"):
        run(ClusterParams(store=tmp_path))


def test_normality_depends_on_length_and_bears_faults() -> None:
    rng = np.random.default_rng(2)
    length = np.float32(rng.integers(50, 101, 30_000))
    x = np.float32(0.8 * length + rng.normal(0, 1, len(length)))
    x[rng.random(len(x)) < 0.06] -= 20
    model = fit(["work"], x[:, None], length, rng)
    z = model.deviations(np.float32([[40], [80], [40]]), np.float32([50, 100, 100]))
    assert np.abs(z[:2]).max() < 1.5
    assert z[2, 0] < -12
    assert 0.9 < float(np.median(model.spread)) < 2.5


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 8))
def test_ranking_keeps_groups_together(labels: list[int], least: int) -> None:
    group = np.array(labels, np.int64)
    how = np.random.default_rng(len(labels)).random(len(labels))
    number, medians = rank(group, how, least)
    assert (np.diff(medians) <= 0).all()
    for each in set(labels):
        mine = set(number[group == each].tolist())
        assert len(mine) == 1
        assert (mine == {-1}) == (labels.count(each) < least)


def test_nearest_against_a_loop() -> None:
    rng = np.random.default_rng(1)
    rows, centre = np.float32(rng.normal(size=(200, 4))), np.float32(rng.normal(size=(7, 4)))
    loop = [int(np.argmin([((row - c) ** 2).sum() for c in centre])) for row in rows]
    assert nearest(rows, centre).tolist() == loop


@pytest.mark.slow
@pytest.mark.parametrize("rare", [False, True])
def test_every_family_is_found_at_two_hundred_thousand(tmp_path: Path, rare: bool) -> None:
    """Every family of 0.1 % or more is a group of its own with purity ≥ 0.8 by default settings."""
    faults = dict.fromkeys(FAULTS, 0.0015) if rare else FAULTS
    store, kinds = Store(tmp_path), []
    for place, part in enumerate(simulate_parts(200_000, 11, faults=faults)):
        store.write_part(place, part.series)
        kinds.append(part.kind)
    write_json(store.manifest, {"complete": True})
    features(FeaturesParams(store=tmp_path))
    clean(CleanParams(store=tmp_path, plot=False))
    run(ClusterParams(store=tmp_path, look=False))
    group = pl.read_parquet(tmp_path / "groups.parquet")["group"].fill_null(-2).to_numpy()
    truth = np.concatenate(kinds)
    for name in FAULTS:
        mine = truth == KINDS.index(name)
        best = np.bincount(group[mine & (group > 0)]).argmax()
        assert mine[group == best].mean() >= 0.8, name
        assert (group[mine] == best).mean() >= 0.5, name
