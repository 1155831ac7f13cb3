import numpy as np
import polars as pl
import pytest

from okulo.core.errors import BadInput
from okulo.core.nouns import Detections, Findings, Mesh, Polygons, Series, Tracks, Votes

BOX = np.float32([[0, 0, 2, 2]])


def test_detections_say_wanted_and_got() -> None:
    with pytest.raises(BadInput, match=r"xyxy: expected float32 of shape \(any, 4\), got float64 \(1, 4\)"):
        Detections(BOX.astype(np.float64), np.float32([1]), np.int32([0]))
    with pytest.raises(BadInput, match="score: expected 1 rows as xyxy has, got 2"):
        Detections(BOX, np.float32([1, 1]), np.int32([0]))
    with pytest.raises(BadInput, match="xyxy: expected finite numbers, got nan in row 0"):
        Detections(BOX * np.float32(np.nan), np.float32([1]), np.int32([0]))


def test_tracks_want_finite_times() -> None:
    with pytest.raises(BadInput, match="time_s: expected finite numbers"):
        Tracks(np.int64([1]), np.array([np.inf]), BOX, np.float32([1]), np.int32([0]))
    assert len(Tracks(np.int64([1]), np.array([0.5]), BOX, np.float32([1]), np.int32([0]))) == 1


def test_votes_are_indices() -> None:
    with pytest.raises(BadInput, match="worker: expected indices ≥ 0, got -1"):
        Votes(np.int64([0]), np.int64([-1]), np.int32([0]))
    assert len(Votes(np.int64([]), np.int64([]), np.int32([]))) == 0


def test_findings_count_kinds_most_first() -> None:
    found = Findings.of([("a", "dark", 0.5, "…"), ("b", "blank", 1, "…"), ("c", "blank", 1, "…")])
    assert list(found.counts().items()) == [("blank", 2), ("dark", 1)]
    assert len(Findings()) == 0
    with pytest.raises(BadInput, match="findings: expected"):
        Findings(pl.DataFrame({"item": ["a"]}))


def test_polygons_want_rings_of_three_points() -> None:
    triangle = np.array([[0.0, 0], [1, 0], [0, 1]])
    assert len(Polygons(((triangle,),))) == 1
    with pytest.raises(BadInput, match="polygon 0: expected at least an outer ring"):
        Polygons(((),))
    with pytest.raises(BadInput, match="ring of polygon 0: expected 3 points or more, got 2"):
        Polygons(((triangle[:2],),))


def test_a_mesh_has_no_face_without_vertices() -> None:
    vertices = np.zeros((3, 3))
    assert len(Mesh(vertices, np.int32([[0, 1, 2]]))) == 1
    with pytest.raises(BadInput, match="faces: expected indices of 3 vertices, got 0 to 3"):
        Mesh(vertices, np.int32([[0, 1, 3]]))


def test_series_offsets_rise_from_zero_to_the_end() -> None:
    with pytest.raises(BadInput, match="offsets: expected rising from 0 to 2, got 0 to 1"):
        Series(np.int64([1]), np.float32([1, 2]), np.int64([0, 1]))
    with pytest.raises(BadInput, match="offsets"):
        Series(np.int64([1, 2]), np.float32([1, 2]), np.int64([0, 5, 2]))
