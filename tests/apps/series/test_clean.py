"""Garbage goes, faults stay, and each exclusion has its reason."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from okulo.apps.series.clean import CleanParams, Rules, columns_of, run
from okulo.apps.series.features import compute, to_frame
from okulo.apps.series.simulate import FAULTS, KINDS, Simulated
from okulo.core.errors import BadInput
from okulo.io.files import read_json


def test_garbage_goes_and_everything_else_stays(done: Path, made: Simulated) -> None:
    reason = pl.read_parquet(done / "clean.parquet")["excluded"]
    gone = reason.is_not_null().to_numpy()
    garbage = made.kind > len(FAULTS)
    assert gone[garbage].mean() > 0.995
    assert not gone[~garbage].any()
    told = {
        "empty": "no values",
        "short": "shorter than 20 values",
        "dead": "constant",
        "unplugged": "only noise, no curve",
        "wrong unit": "upside down",
    }
    for kind, words in told.items():
        rows = np.flatnonzero(made.kind == KINDS.index(kind))
        assert (reason[rows] == words).mean() > 0.3, kind
    assert (done / "clean.png").stat().st_size > 20_000


def test_limits_are_the_users(made: Simulated) -> None:
    columns = columns_of(to_frame([(made.series.id, compute(made.series))]))
    path = Path("unused")
    rules = Rules.learn(columns, CleanParams(store=path, limit=("work>20", "peak_height<=4.5")))
    names, place = rules.judge(columns)
    assert names[-2:] == ["work is not > 20", "peak_height is not <= 4.5"]
    high = place == len(names) - 1
    assert high.any()
    assert (columns["peak_height"][high] > 4.5).all()
    kept = place < 0
    assert (columns["work"][kept] > 20).all()
    again = Rules.from_json({**vars(rules), "limit": list(rules.limit)})
    np.testing.assert_array_equal(again.judge(columns)[1], place)


@pytest.mark.parametrize(
    ("limit", "message"),
    [("work", "expected a feature, < <= > or >=, and a number"), ("wrk>3", "there is no feature 'wrk'")],
)
def test_limits_that_cannot_be_read(done: Path, limit: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        run(CleanParams(store=done, limit=(limit,), replace=True, plot=False))
    assert read_json(done / "clean.json")["rules"]["limit"] == []


def test_only_garbage_is_all_excluded(tmp_path: Path) -> None:
    from okulo.apps.series.bring import ImportParams
    from okulo.apps.series.bring import run as bring
    from okulo.apps.series.cluster import ClusterParams
    from okulo.apps.series.cluster import run as cluster
    from okulo.apps.series.features import FeaturesParams
    from okulo.apps.series.features import run as features

    rows = [[float("nan")] * 60, [1.0] * 60, [], [float("inf")] * 60]
    pl.DataFrame({"id": [1, 2, 3, 4], "values": rows}).write_parquet(tmp_path / "r.parquet")
    bring(ImportParams(source=str(tmp_path / "r.parquet"), out=tmp_path / "s"))
    features(FeaturesParams(store=tmp_path / "s"))
    report = run(CleanParams(store=tmp_path / "s"))
    assert report.kept == 0
    assert report.reasons == {"no values": 3, "constant": 1}
    with pytest.raises(
        BadInput, match=r"every recording is excluded \(3: no values, 1: constant\): nothing to group"
    ):
        cluster(ClusterParams(store=tmp_path / "s"))
