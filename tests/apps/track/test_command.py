"""`okulo track`: a table of detections gets its tracks, and is measured where the truth is known."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from okulo.algo.track_scenes import Scene, simulate
from okulo.apps.track.command import TrackParams, run
from okulo.core.errors import BadInput


def write(folder: Path, **scene: float) -> tuple[Path, Path]:
    truth, frames = simulate(Scene(**{"objects": 8, "seconds": 4, **scene}), np.random.default_rng(0))  # type: ignore[arg-type]
    xyxy = np.concatenate([found.xyxy for _, found in frames])
    names = ("x1", "y1", "x2", "y2")
    rows = {
        "frame": np.concatenate([np.full(len(found), i) for i, (_, found) in enumerate(frames)]),
        "time_s": np.concatenate([np.full(len(found), t) for t, found in frames]),
        "score": np.concatenate([found.score for _, found in frames]),
        "label": ["car"] * len(xyxy),
        **{name: xyxy[:, i] for i, name in enumerate(names)},
    }
    pl.DataFrame(rows).write_parquet(folder / "d.parquet")
    pl.DataFrame(
        {
            "track": truth.track, "time_s": truth.time_s, "score": truth.score, "label": ["car"] * len(truth),
            **{name: truth.xyxy[:, i] for i, name in enumerate(names)},
        }
    ).write_parquet(folder / "truth.parquet")  # fmt: skip
    return folder / "d.parquet", folder / "truth.parquet"


def test_detections_get_their_tracks(tmp_path: Path) -> None:
    found, truth = write(tmp_path)
    report = run(TrackParams(detections=found, output=tmp_path / "t.parquet", truth=truth, fill_s=0))
    assert report.scores is not None and report.scores.idf1 > 0.95
    made = pl.read_parquet(tmp_path / "t.parquet")
    assert len(made) == len(pl.read_parquet(found)) and made["track"].null_count() > 0
    assert report.tracks == made["track"].drop_nulls().n_unique()
    with pytest.raises(BadInput, match="already has a column track"):
        run(TrackParams(detections=tmp_path / "t.parquet", output=tmp_path / "u.parquet"))


def test_gaps_are_filled_where_asked(tmp_path: Path) -> None:
    found, truth = write(tmp_path)
    plain = run(TrackParams(detections=found, output=tmp_path / "t.parquet", truth=truth, join_s=0, fill_s=0))
    report = run(TrackParams(detections=found, output=tmp_path / "u.parquet", truth=truth, fill_s=1.0))
    made = pl.read_parquet(tmp_path / "u.parquet")
    added = made.filter(pl.col("score") == 0)
    assert (plain.filled, report.filled) == (0, len(added)) and report.filled > 5
    assert made["time_s"].is_sorted() and added["frame"].null_count() == 0 == added["label"].null_count()
    assert plain.scores and report.scores and report.scores.mota > plain.scores.mota


def test_an_empty_table_has_no_tracks(tmp_path: Path) -> None:
    found, _ = write(tmp_path)
    pl.read_parquet(found).head(0).write_parquet(tmp_path / "none.parquet")
    report = run(TrackParams(detections=tmp_path / "none.parquet", output=tmp_path / "t.parquet"))
    assert (report.tracks, report.median_s) == (0, None)


def test_what_are_no_detections_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(BadInput, match="has no column time_s"):
        run(TrackParams(detections=tmp_path / "a.parquet", output=tmp_path / "t.parquet"))
    (tmp_path / "b.parquet").write_text("no table")
    with pytest.raises(BadInput, match="as Parquet"):
        run(TrackParams(detections=tmp_path / "b.parquet", output=tmp_path / "t.parquet"))
    assert not (tmp_path / "t.parquet").exists()
