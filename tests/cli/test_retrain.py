"""`okulo audit --deep`: a network trained a fold, at its smallest."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from okulo.cli.audit import audit

from ..curate.labelled import plant_digits


@pytest.mark.slow
def test_deep_audit_trains_and_finds_planted_errors(tmp_path: Path) -> None:
    planted = plant_digits(tmp_path, n=1000, files=True)
    assert audit(planted.table, deep=True, folds=2, epochs=16, pictures=False, quiet=True) == 0
    frame = pl.read_parquet(planted.table).sort("rank")
    first = np.array([int(path[:4]) for path in frame["path"][:75]])
    assert planted.wrong[first].mean() > 0.5, "chance would be 0.075"
    assert frame["rank"].to_list() == list(range(1, 1001))
