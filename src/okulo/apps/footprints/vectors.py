"""Raw polygons as files: what other tools made of masks; GeoJSON without any extra, the rest by pyogrio."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from okulo.algo.rings import FlatPolygons, join_polygons
from okulo.apps.footprints.raster import METRES_PER_DEGREE, Place
from okulo.apps.footprints.walls import from_shape
from okulo.apps.footprints.write import WGS84
from okulo.core.errors import BadInput, need

VECTOR_SUFFIXES = (".geojson", ".json", ".gpkg", ".shp", ".fgb")


MAX_STEPS = 500_000
"""An outline of more pixels is a mistake in units: 500 km at a metre."""


@dataclass(frozen=True)
class Vectors:
    """Polygons in units of their own detail ("pixels") with y down, and how that lies in the world."""

    flat: FlatPolygons
    feature: list[int]
    """Which feature each polygon is a part of."""
    columns: dict[str, list[Any]]
    place: Place
    unit: float
    """Length of a "pixel", m where the system is known."""
    notes: tuple[str, ...]


def read_vectors(path: Path, resolution: float = 0.0) -> Vectors:
    """Read polygons and MultiPolygons; ones that cross themselves are mended, and a note says how many.

    `resolution`: the size of a pixel of what they were made of; 0: the commonest short side.
    """
    shapes, columns, crs = (
        _read_geojson(path) if path.suffix.lower() in (".geojson", ".json") else _read_ogr(path)
    )
    parts, feature, mended, other = [], [], 0, 0
    for index, shape in enumerate(shapes):
        if shape is None or shape.is_empty:
            continue
        if not shape.is_valid:
            shape, mended = shapely.make_valid(shape), mended + 1
        polygons = [
            each
            for each in shapely.get_parts(shapely.get_parts(shape))  # a collection may hold MultiPolygons
            if each.geom_type == "Polygon" and each.area > 0
        ]
        other += not polygons
        parts += polygons
        feature += [index] * len(polygons)
    notes = [f"{mended} polygons crossed themselves and were mended"] if mended else []
    notes += [f"{other} features are no polygons and were left out"] if other else []
    geographic = crs in WGS84
    x, y = (float(v) for v in shapely.bounds(parts[0])[:2]) if parts else (0.0, 0.0)
    flat = join_polygons([from_shape(each) for each in parts])
    scale = np.array([1.0, 1.0])
    if geographic:
        scale = np.array([METRES_PER_DEGREE * np.cos(np.radians(y)), METRES_PER_DEGREE])
    unit = resolution or guess_resolution(flat.points * scale, flat)
    check_detail(path, shapely.length(np.array(parts, object)) * float(scale.max()), unit)
    pixel = unit / scale  # of the world's coordinates, along x and y
    place = Place((x, float(pixel[0]), 0.0, y, 0.0, float(-pixel[1])), crs, geographic, 0.0)
    points = (flat.points - [x, y]) / pixel * [1.0, -1.0]
    return Vectors(flat.with_points(points), feature, columns, place, unit, tuple(notes))


def check_detail(path: Path, lengths: np.ndarray, unit: float) -> None:
    """Raise BadInput if an outline is so long, for how fine its detail is, that this is no building's."""
    longest = float(lengths.max(initial=0.0)) / unit
    if longest > MAX_STEPS:
        raise BadInput(
            str(path),
            wanted=f"outlines of at most {MAX_STEPS:,} steps of their detail ({unit:.3g})",
            got=f"{longest:,.0f}",
            hint="is the CRS right (small numbers without one are degrees)? or say a coarser --resolution",
        )


def guess_resolution(points: np.ndarray, flat: FlatPolygons) -> float:
    """Take the tenth percentile of all sides' lengths: a pixel, where outlines are stairs.

    At most an eighth of a building's side, for outlines that are regular already.

    >>> ring = np.array([[0.0, 0], [14, 0], [14, 0.5], [14.5, 0.5], [14.5, 13], [0, 13]])
    >>> stairs = join_polygons([(ring,)])
    >>> guess_resolution(stairs.points, stairs)
    0.5
    """
    if not len(points):
        return 1.0
    following = np.arange(1, len(points) + 1)
    following[flat.rings[1:] - 1] = flat.rings[:-1]
    length = np.linalg.norm(points[following] - points, axis=1)
    short = float(np.quantile(length[length > 0], 0.1, method="lower"))
    areas = flat.areas() * float(
        np.prod(np.ptp(points, axis=0) / np.maximum(np.ptp(flat.points, axis=0), 1e-12))
    )
    return min(short, float(np.sqrt(np.median(areas))) / 8)


def _read_geojson(path: Path) -> tuple[list[Any], dict[str, list[Any]], str]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        features = said["features"]
        shapes = [
            shapely.from_geojson(json.dumps(each["geometry"])) if each["geometry"] else None
            for each in features
        ]
        rows = [each.get("properties") or {} for each in features]
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError, shapely.errors.ShapelyError) as error:
        raise BadInput(str(path), f"is no GeoJSON collection of features ({error})") from error
    names = list(dict.fromkeys(name for row in rows for name in row))
    crs = "EPSG:4326"  # RFC 7946
    named = said.get("crs")
    if isinstance(named, dict):  # the older form names another
        crs = (
            str(named.get("properties", {}).get("name", ""))
            .replace("urn:ogc:def:crs:", "")
            .replace("::", ":")
        )
    bounds = np.array([shape.bounds for shape in shapes if shape is not None and not shape.is_empty])
    if crs in WGS84 and len(bounds) and (np.abs(bounds) > [180, 90, 180, 90]).any():
        crs = ""  # not longitude and latitude: pixels, as this program writes them
    return shapes, {name: [row.get(name) for row in rows] for name in names}, crs


def _read_ogr(path: Path) -> tuple[list[Any], dict[str, list[Any]], str]:
    raw = need("pyogrio.raw", extra="geo", verb=f"reading {path.suffix}")
    errors = need("pyogrio.errors", extra="geo")
    try:
        about, _, shapes, values = raw.read(str(path))
    except (errors.DataSourceError, errors.DataLayerError) as error:
        raise BadInput(str(path), f"cannot be read ({error})") from error
    columns = {str(name): column.tolist() for name, column in zip(about["fields"], values)}
    return list(shapely.from_wkb(shapes)), columns, about["crs"] or ""
