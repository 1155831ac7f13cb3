"""Masks and polygons as files: read, written, tiled, placed in the world; and what cannot be used."""

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from okulo.algo.rings import contours, join_polygons
from okulo.apps.footprints.command import FootprintParams, run
from okulo.apps.footprints.raster import Mask, Place, mask_of
from okulo.apps.footprints.simulate import KINDS, simulate
from okulo.apps.footprints.tiles import outlines
from okulo.core.errors import BadInput


@pytest.fixture(scope="module")
def scene():
    return simulate(9, noise="light", kinds=KINDS, rng=np.random.default_rng(5))


def write_png(path: Path, probability: np.ndarray) -> Path:
    cv2.imwrite(str(path), (probability * 255).round().astype(np.uint8))
    return path


def write_tif(path: Path, values: np.ndarray, crs: str | None = "EPSG:32633", bands: int = 1) -> Path:
    place = {"transform": rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 5_300_000)} if crs != "none" else {}
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=bands,
        dtype=values.dtype, crs=None if crs == "none" else crs, **place,
    ) as file:  # fmt: skip
        for band in range(bands):
            file.write(values, band + 1)
    return path


def features(path: Path):
    return json.loads(path.read_text())["features"]


def test_a_plain_picture_becomes_geojson_in_pixels(scene, tmp_path: Path) -> None:
    report = run(
        FootprintParams(source=write_png(tmp_path / "m.png", scene.probability), out=tmp_path / "o.geojson")
    )
    said = features(tmp_path / "o.geojson")
    assert len(said) == report.files[0].buildings == 9
    assert report.files[0].unit == "px"
    for each in said:
        shape = shapely.from_geojson(json.dumps(each["geometry"]))
        assert shape.is_valid
        assert shape.exterior.is_ccw
        assert all(not hole.is_ccw for hole in shape.interiors)
        assert each["properties"]["area_px"] == pytest.approx(shape.area, abs=0.5)
        assert 0.5 < each["properties"]["confidence"] <= 1


def test_a_geotiff_becomes_longitude_and_latitude_or_a_geopackage(scene, tmp_path: Path) -> None:
    source = write_tif(tmp_path / "m.tif", scene.probability)
    run(FootprintParams(source=source, out=tmp_path / "o.geojson"))
    run(FootprintParams(source=source, out=tmp_path / "o.gpkg"))
    run(FootprintParams(source=source, out=tmp_path / "o.shp"))
    first = features(tmp_path / "o.geojson")[0]["geometry"]["coordinates"][0][0]
    assert 14.9 < first[0] < 15.1
    assert 47.8 < first[1] < 47.9
    for each in features(tmp_path / "o.geojson"):
        assert shapely.from_geojson(json.dumps(each["geometry"])).exterior.is_ccw
    about, _, shapes, values = pyogrio.raw.read(tmp_path / "o.gpkg")
    assert about["crs"] == "EPSG:32633"
    area = dict(zip(about["fields"], values))["area_m2"]
    assert area == pytest.approx(shapely.area(shapely.from_wkb(shapes)), abs=0.02)
    assert len(pyogrio.raw.read(tmp_path / "o.shp")[2]) == 9
    assert (tmp_path / "o.prj").exists()


@pytest.mark.parametrize("tile", [200, 64, 37])
def test_tiles_give_the_same_outlines_as_the_whole(scene, tile: int) -> None:
    whole = contours(scene.probability, 0.5, min_area=16.0, min_hole=16.0)
    batches = list(outlines(mask_of(scene.probability), tile=tile, min_area=16.0, min_hole=16.0))
    flat = join_polygons([batch.polygon(k) for batch in batches for k in range(len(batch))])

    def shapes(all_of_them):
        found = [
            shapely.Polygon(p[0], p[1:]) for p in (all_of_them.polygon(k) for k in range(len(all_of_them)))
        ]
        return sorted((shapely.normalize(shape) for shape in found), key=lambda shape: shape.bounds)

    for one, other in zip(shapes(whole), shapes(flat), strict=True):
        assert shapely.equals_exact(one, other, tolerance=1e-9)


def test_threads_change_nothing_not_even_the_order(scene, monkeypatch) -> None:
    monkeypatch.setattr("okulo.apps.footprints.tiles.LEAST_TILE", 64)
    asked = {"tile": 4096, "min_area": 16.0, "min_hole": 16.0}
    (one,) = outlines(mask_of(scene.probability), **asked)
    (many,) = outlines(mask_of(scene.probability), threads=5, **asked)
    for k in range(len(one)):
        shapes = [shapely.Polygon(p[0], p[1:]) for p in (one.polygon(k), many.polygon(k))]
        assert shapely.equals_exact(*(shapely.normalize(shape) for shape in shapes), tolerance=1e-9)


def test_memory_stays_flat_on_a_huge_raster() -> None:
    """40,000 × 40,000 is 1.6 GB; a strip of it is made up when it is asked for."""
    asked = []

    def read(row: int, column: int, height: int, width: int) -> np.ndarray:
        asked.append(height * width)
        y, x = np.ogrid[row : row + height, column : column + width]
        return ((y % 8000 > 7000) & (y % 8000 < 7040) & (x % 8000 > 3980) & (x % 8000 < 4120)).view(np.uint8)

    mask = Mask("huge", 40_000, 8_001, read, "mask", 0.5, 1.0, Place())
    found = list(outlines(mask, tile=4000, min_area=10.0, min_hole=10.0))
    assert sum(len(batch) for batch in found) == 5
    assert max(asked) <= 4001**2
    areas = np.concatenate([batch.areas() for batch in found])
    np.testing.assert_allclose(areas, 39 * 139 - 0.5)


def test_labels_that_touch_share_their_wall(tmp_path: Path) -> None:
    labels = np.zeros((160, 200), np.uint16)
    turn = cv2.getRotationMatrix2D((100, 80), 20, 1)
    for k in range(4):
        box = np.array(
            [[40 + 30 * k, 50], [70 + 30 * k, 50], [70 + 30 * k, 100 + k * 4], [40 + 30 * k, 100 + k * 4]]
        )
        corners = np.c_[box, np.ones(4)] @ turn.T
        cv2.fillPoly(labels, [corners.round().astype(np.int32)], k + 1)
    cv2.imwrite(str(tmp_path / "labels.png"), labels)
    run(FootprintParams(source=tmp_path / "labels.png", out=tmp_path / "o.geojson"))
    shapes = [shapely.from_geojson(json.dumps(each["geometry"])) for each in features(tmp_path / "o.geojson")]
    assert len(shapes) == 4
    for one, other in pairwise(shapes):
        assert one.intersection(other).area < 0.05
        assert one.buffer(0.01).intersection(other.buffer(0.01)).length > 80  # both sides of a thin strip
    assert all(shapely.get_num_coordinates(shape) <= 9 for shape in shapes)


def test_multipolygons_stay_together_and_columns_are_kept(scene, tmp_path: Path) -> None:
    flat = contours(scene.probability, 0.5, min_area=16.0)
    one = {
        "type": "MultiPolygon",
        "coordinates": [[np.vstack([r, r[:1]]).tolist() for r in flat.polygon(k)] for k in (0, 1)],
    }
    two = {"type": "Polygon", "coordinates": [np.vstack([r, r[:1]]).tolist() for r in flat.polygon(2)]}
    collection = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"owner": n}, "geometry": g}
            for n, g in (("a", one), ("b", two))
        ],
    }
    (tmp_path / "raw.geojson").write_text(json.dumps(collection))
    report = run(FootprintParams(source=tmp_path / "raw.geojson", out=tmp_path / "o.geojson", resolution=1.0))
    said = features(tmp_path / "o.geojson")
    assert [each["geometry"]["type"] for each in said] == ["MultiPolygon", "Polygon"]
    assert [each["properties"]["owner"] for each in said] == ["a", "b"]
    assert report.files[0].vertices_after < report.files[0].vertices_before / 5


def test_a_folder_a_preview_and_a_page(scene, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        write_png(tmp_path / "in" / f"{name}.png", scene.probability)
    report = run(FootprintParams(source=tmp_path / "in", out=tmp_path / "out"))
    assert [each.out.name for each in report.files] == ["a.geojson", "b.geojson"]
    run(
        FootprintParams(
            source=tmp_path / "in" / "a.png",
            out=tmp_path / "o.geojson",
            preview=tmp_path / "p.png",
            page=tmp_path / "p.html",
        )
    )
    assert cv2.imread(str(tmp_path / "p.png")).shape[0] > 300
    page = (tmp_path / "p.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count('"d": "M') == 9


def test_polygons_that_cross_themselves_are_mended_and_said(tmp_path: Path) -> None:
    bow = [[200, 0], [240, 30], [240, 0], [200, 40], [200, 0]]  # beyond 180: no degrees, so pixels
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [bow]}}
    (tmp_path / "raw.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    report = run(FootprintParams(source=tmp_path / "raw.geojson", out=tmp_path / "o.geojson", resolution=1.0))
    assert "1 polygons crossed themselves and were mended" in report.files[0].notes
    (only,) = features(tmp_path / "o.geojson")
    assert shapely.from_geojson(json.dumps(only["geometry"])).is_valid
    assert only["geometry"]["type"] == "MultiPolygon"


def test_outlines_the_size_of_continents_are_refused(tmp_path: Path) -> None:
    ring = [[0, 0], [40, 0], [40, 30], [0, 30], [0, 0]]
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (tmp_path / "raw.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(BadInput, match=r"steps of their detail \(1\), got 15,584,7.*is the CRS right"):
        run(FootprintParams(source=tmp_path / "raw.geojson", out=tmp_path / "o.geojson", resolution=1.0))
    assert not (tmp_path / "o.geojson").exists()


EMPTY = {"zeros": np.zeros((20, 30), np.uint8), "specks": np.eye(20, dtype=np.uint8) * 255}


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_found_is_an_empty_collection_and_said(name: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), EMPTY[name])
    report = run(FootprintParams(source=tmp_path / "m.png", out=tmp_path / "o.geojson"))
    assert features(tmp_path / "o.geojson") == []
    assert "empty collection" in report.files[0].notes[0]


def test_a_mask_that_is_all_building_is_one_rectangle(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), np.full((40, 60), 255, np.uint8))
    run(FootprintParams(source=tmp_path / "m.png", out=tmp_path / "o.geojson"))
    (only,) = features(tmp_path / "o.geojson")
    assert shapely.equals(shapely.from_geojson(json.dumps(only["geometry"])), shapely.box(0, 0, 60, 40))


def test_what_is_not_a_number_is_outside(scene, tmp_path: Path) -> None:
    values = scene.probability.copy()
    values[:, :104] = np.nan
    run(FootprintParams(source=write_tif(tmp_path / "m.tif", values), out=tmp_path / "o.geojson"))
    assert len(features(tmp_path / "o.geojson")) == 6


def test_a_raster_without_crs_keeps_its_coordinates_and_says_so(scene, tmp_path: Path) -> None:
    report = run(
        FootprintParams(
            source=write_tif(tmp_path / "m.tif", scene.probability, None), out=tmp_path / "o.geojson"
        )
    )
    assert features(tmp_path / "o.geojson")[0]["geometry"]["coordinates"][0][0][0] > 499_999
    assert "no CRS" in report.files[0].notes[0]


def bad_masks(folder: Path) -> dict[str, tuple[Path, str]]:
    rng = np.random.default_rng(0)
    cv2.imwrite(str(folder / "photo.png"), rng.integers(0, 255, (20, 20, 3), np.uint8))
    cv2.imwrite(str(folder / "odd.png"), np.full((9, 9), 7, np.uint8))
    (folder / "text.png").write_text("no picture")
    (folder / "broken.tif").write_text("no raster")
    (folder / "bad.geojson").write_text('{"type": "Point"}')
    np.save(folder / "logits.npy", rng.normal(size=(9, 9)))
    np.save(folder / "large.npy", np.full((9, 9), 3.5))
    write_tif(folder / "bands.tif", np.ones((9, 9), np.uint8), bands=3)
    return {
        "photo": (folder / "photo.png", "3 bands that differ; is this the photo"),
        "odd": (folder / "odd.png", "bytes up to 7 may be labels or probabilities; say --kind"),
        "text": (folder / "text.png", "cannot be read"),
        "broken": (folder / "broken.tif", "cannot be read"),
        "geojson": (folder / "bad.geojson", "is no GeoJSON collection"),
        "logits": (folder / "logits.npy", "are these logits"),
        "large": (folder / "large.npy", "probabilities from 0 to 1, got up to 3.5"),
        "bands": (folder / "bands.tif", "got 3 bands; is this the photo"),
        "missing": (folder / "none.png", "no such file"),
        "suffix": (folder, "holds no mask"),
    }


@pytest.mark.parametrize(
    "name", ["photo", "odd", "text", "broken", "geojson", "logits", "large", "bands", "missing", "suffix"]
)
def test_bad_masks_are_named_and_nothing_is_left(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    source, message = bad_masks(tmp_path / "in")[name]
    if source.is_dir():
        source = tmp_path / "out"
    with pytest.raises(BadInput, match=message):
        run(FootprintParams(source=source, out=tmp_path / "out" / "o.geojson"))
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unknown_format_is_refused_before_any_work(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), np.zeros((9, 9), np.uint8))
    with pytest.raises(BadInput, match=r"o.kml: expected a name that ends in .geojson"):
        run(FootprintParams(source=tmp_path / "m.png", out=tmp_path / "o.kml"))
