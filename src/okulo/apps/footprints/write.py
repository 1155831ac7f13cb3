"""Footprints as files: GeoJSON without any extra, GeoPackage and Shapefile through pyogrio."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from okulo.algo.rings import FlatPolygons
from okulo.core.errors import BadInput, need
from okulo.io.files import write_aside, write_text

SUFFIXES = {".geojson": "GeoJSON", ".json": "GeoJSON", ".gpkg": "GPKG", ".shp": "ESRI Shapefile"}
WGS84 = ("EPSG:4326", "OGC:CRS84")
Column = Sequence[str | float | int | None]


@dataclass(frozen=True)
class Footprints:
    """Outlines in the coordinates of `crs` ("": pixels, y down), and columns of what is said of each.

    `feature`: polygons of one number, which follow each other, are one MultiPolygon.
    """

    outlines: FlatPolygons
    crs: str
    columns: Mapping[str, Column]
    feature: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.outlines)


def check_suffix(path: Path) -> str:
    """Name the driver for this file, or say which there are."""
    driver = SUFFIXES.get(path.suffix.lower())
    if driver is None:
        raise BadInput(
            str(path), wanted=f"a name that ends in {', '.join(SUFFIXES)}", got=path.suffix or "none"
        )
    if driver != "GeoJSON":
        need("pyogrio", extra="geo", verb=f"writing {path.suffix}")
    return driver


def to_wgs84(made: Footprints) -> Footprints:
    """Bring outlines to longitude and latitude, as RFC 7946 wants; those without a system stay."""
    if not made.crs or made.crs in WGS84 or not len(made.outlines.points):
        return made
    warp = need("rasterio.warp", extra="geo", verb="bringing coordinates to WGS 84")
    x, y = warp.transform(made.crs, "EPSG:4326", made.outlines.points[:, 0], made.outlines.points[:, 1])[:2]
    points = np.stack([np.asarray(x), np.asarray(y)], axis=1)
    return Footprints(made.outlines.with_points(points), "EPSG:4326", made.columns, made.feature)


def write(path: Path, made: Footprints) -> None:
    """Write footprints in the format that the file's name says; whole or not at all."""
    driver = check_suffix(path)
    if driver == "GeoJSON":
        write_text(path, geojson_text(to_wgs84(made)))
    else:
        _write_ogr(path, made, driver)


def geojson_text(made: Footprints) -> str:
    """GeoJSON (RFC 7946): outer rings run against the clock, holes with it, the first point is repeated.

    Longitudes and latitudes have 8 decimals (1 mm), other coordinates 3.
    """
    digits = 8 if made.crs in WGS84 else 3
    values = np.round(made.outlines.points, digits).tolist()
    rings: list[str] = []
    flat = made.outlines
    for r, (a, b) in enumerate(zip(flat.rings.tolist(), flat.rings[1:].tolist())):
        del r
        rings.append(
            "["
            + ",".join([f"[{x!r},{y!r}]" for x, y in values[a:b]])
            + f",[{values[a][0]!r},{values[a][1]!r}]]"
        )
    polygons = [
        "[" + ",".join(rings[a:b]) + "]" for a, b in zip(flat.polygons.tolist(), flat.polygons[1:].tolist())
    ]
    names = list(made.columns)
    rows = list(zip(*(made.columns[name] for name in names)))
    features = []
    for first, last in _features(made):
        said = json.dumps(dict(zip(names, rows[first])), ensure_ascii=False, separators=(",", ":"))
        kind = "Polygon" if last - first == 1 else "MultiPolygon"
        where = polygons[first] if kind == "Polygon" else "[" + ",".join(polygons[first:last]) + "]"
        features.append(
            f'{{"type":"Feature","properties":{said},"geometry":{{"type":"{kind}","coordinates":{where}}}}}'
        )
    return '{"type":"FeatureCollection","features":[\n' + ",\n".join(features) + "\n]}\n"


def _features(made: Footprints) -> list[tuple[int, int]]:
    """First and last row of each feature."""
    if made.feature is None:
        return [(k, k + 1) for k in range(len(made))]
    number = np.asarray(made.feature)
    cuts = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(number)] if len(number) else [0]
    return list(pairwise(cuts))


def _write_ogr(path: Path, made: Footprints, driver: str) -> None:
    import shapely

    from okulo.apps.footprints.walls import to_shapes

    raw = need("pyogrio.raw", extra="geo", verb=f"writing {path.suffix}")
    shapes = to_shapes(made.outlines) if len(made) else np.empty(0, object)
    spans = _features(made)
    grouped = [shapes[a] if b - a == 1 else shapely.MultiPolygon(list(shapes[a:b])) for a, b in spans]
    columns: dict[str, Any] = {
        name[:10] if driver.startswith("ESRI") else name: _array([values[a] for a, _ in spans])
        for name, values in made.columns.items()
    }
    several = any(shape.geom_type == "MultiPolygon" for shape in grouped)
    kind = "MultiPolygon" if several and driver == "GPKG" else "Polygon"
    if kind == "MultiPolygon":
        grouped = [shapely.MultiPolygon([s]) if s.geom_type == "Polygon" else s for s in grouped]
    with write_aside(path) as aside:
        aside.unlink()
        raw.write(
            str(aside),
            geometry=np.array([shapely.to_wkb(shape) for shape in grouped], object),
            field_data=list(columns.values()),
            fields=list(columns),
            crs=made.crs or None,
            geometry_type=kind,
            driver=driver,
            layer=path.stem,
        )
        for other in aside.parent.glob(f"{aside.stem}.*"):  # a shapefile is several files
            if other != aside:
                other.replace(path.with_suffix(other.suffix))


def _array(values: Sequence[Any]) -> np.ndarray:
    if all(isinstance(each, str) for each in values) and values:
        return np.array(values, object)
    if all(isinstance(each, int) for each in values):
        return np.array(values, np.int64)
    return np.array([np.nan if each is None else each for each in values], np.float64)
