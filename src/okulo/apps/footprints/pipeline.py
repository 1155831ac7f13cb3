"""From a mask, or polygons, to footprints: outlined, made regular, brought to the world, described."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float64

from okulo.algo.ring_kernels import mean_inside
from okulo.algo.rings import FlatPolygons, contours, join_polygons
from okulo.apps.footprints.raster import Mask, Place
from okulo.apps.footprints.regularize import (
    REASONS,
    Frame,
    Regularity,
    Regularized,
    regularize_flat,
)
from okulo.apps.footprints.tiles import outlines
from okulo.apps.footprints.write import Column, Footprints
from okulo.core.errors import BadInput

if TYPE_CHECKING:
    from okulo.apps.footprints.command import FootprintParams

MAX_LABEL_PIXELS = 100_000_000


@dataclass(frozen=True)
class Made:
    """Footprints in the world's coordinates, and the same outlines in pixels for pictures of them."""

    footprints: Footprints
    pixels: FlatPolygons
    vertices_before: int
    metres: bool
    notes: tuple[str, ...] = ()


def footprints_of_mask(params: "FootprintParams", mask: Mask, regularity: Regularity) -> Made:
    """Outline a mask tile by tile and make each batch regular as it is closed."""
    place = mask.place if params.crs == "auto" else Place()
    frame, unit = mask.place.frame()
    min_area, min_hole = params.min_area / unit**2, params.min_hole / unit**2
    threads = params.threads or len(os.sched_getaffinity(0))
    batches, told, before = [], [], 0
    for batch in _outlines(mask, params.tile, min_area, min_hole, threads):
        done = regularize_flat(
            batch,
            regularity,
            flags=on_edge(batch.points, mask.height, mask.width),
            frame=frame,
            share_directions=params.share_directions / unit,
            threads=threads,
        )
        done = keep_topology(batch, done, regularity, frame, walls=mask.kind == "labels")
        before += len(batch.points)
        batches.append(done)
        told.append(confidences(mask, batch) if mask.kind == "probability" else [None] * len(batch))
    done = join_told(batches)
    confidence = [each for some in told for each in some]
    notes = [] if len(done) else ["nothing is above the level: an empty collection was written"]
    if place.transform is not None and not place.crs:
        notes.append(
            "the raster has a place but no CRS: its own coordinates were kept, lengths taken in its units"
        )
    made = describe(done, place, unit, confidence)
    return Made(made, done.outlines, before, place.metres, tuple(notes))


def _outlines(
    mask: Mask, tile: int, min_area: float, min_hole: float, threads: int
) -> Iterator[FlatPolygons]:
    if mask.kind != "labels":
        yield from outlines(mask, tile=tile, min_area=min_area, min_hole=min_hole, threads=threads)
        return
    if mask.height * mask.width > MAX_LABEL_PIXELS:
        raise BadInput(
            mask.name,
            wanted=f"labels of at most {MAX_LABEL_PIXELS:,} pixels",
            got=f"{mask.height * mask.width:,}",
        )
    yield label_outlines(np.asarray(mask.read(0, 0, mask.height, mask.width)), min_area, min_hole)


def label_outlines(labels: np.ndarray, min_area: float, min_hole: float) -> FlatPolygons:
    """Outline each instance by itself: those that touch share their wall exactly."""
    from scipy.ndimage import find_objects

    whole = labels.astype(np.int64)
    _, dense = np.unique(whole, return_inverse=True)  # labels may be any numbers
    dense = dense.reshape(whole.shape) + (0 if (whole == 0).any() else 1)
    polygons: list[tuple[Float64[np.ndarray, "_ 2"], ...]] = []
    for index, spot in enumerate(find_objects(dense.astype(np.int32)), start=1):
        rows, columns = spot
        patch = np.pad((dense[rows, columns] == index).view(np.uint8), 1)
        found = contours(patch, 0.5, min_area=min_area, min_hole=min_hole)
        shift = np.array([columns.start - 1, rows.start - 1], np.float64)
        polygons += [tuple(ring + shift for ring in found.polygon(k)) for k in range(len(found))]
    return join_polygons(polygons)


def keep_topology(
    flat: FlatPolygons, told: Regularized, regularity: Regularity, frame: Frame, *, walls: bool
) -> Regularized:
    """Share walls of neighbours that touch (if asked), and take back what overlaps anew."""
    from okulo.apps.footprints.walls import part_overlaps, share_walls

    if len(flat) < 2:
        return told
    there, back = frame.matrix.T, np.linalg.inv(frame.matrix).T
    flat = flat.with_points(flat.points @ there)
    told = replace(told, outlines=told.outlines.with_points(told.outlines.points @ there))
    if walls:
        told = share_walls(flat, told, regularity)
    told = part_overlaps(flat, told, regularity)
    return replace(told, outlines=told.outlines.with_points(told.outlines.points @ back))


def on_edge(points: Float64[np.ndarray, "n 2"], height: int, width: int) -> Bool[np.ndarray, " n"]:
    """Which points lie on the picture's edge."""
    x, y = points[:, 0], points[:, 1]
    flags: np.ndarray = (x <= 0.01) | (y <= 0.01) | (x >= width - 0.01) | (y >= height - 0.01)
    return flags


def confidences(mask: Mask, batch: FlatPolygons) -> list[float | None]:
    """Mean probability of the pixels inside each outline."""
    said: list[float | None] = []
    for index in range(len(batch)):
        first, last = batch.polygons[index], batch.polygons[index + 1]
        a, b = batch.rings[first], batch.rings[last]
        points = batch.points[a:b]
        low = np.floor(points.min(axis=0)).astype(int).clip(0)
        high = np.ceil(points.max(axis=0)).astype(int)
        high = np.minimum(high, [mask.width, mask.height])
        values = mask.read(int(low[1]), int(low[0]), int(high[1] - low[1]), int(high[0] - low[0]))
        mean = mean_inside(np.ascontiguousarray(values), points - low, batch.rings[first : last + 1] - a)
        said.append(round(float(mean) / mask.scale, 4) if mean >= 0 else None)
    return said


def join_told(batches: list[Regularized]) -> Regularized:
    """Put batches together."""
    polygons = [each.outlines.polygon(i) for each in batches for i in range(len(each))]
    if not batches:
        none = np.empty(0)
        return Regularized(join_polygons([]), none.astype(np.uint8), none, none, none, none.astype(np.uint8))
    if len(batches) == 1:
        return batches[0]
    return Regularized(
        join_polygons(polygons),
        *(
            np.concatenate([getattr(each, name) for each in batches])
            for name in ("status", "iou", "angle_deg", "roughness", "directions")
        ),
    )


def describe(told: Regularized, place: Place, unit: float, confidence: list[float | None]) -> Footprints:
    """Bring outlines to the world's coordinates and say of each what is known."""
    flat = told.outlines
    points = place.to_world(flat.points)
    if place.mirrored:  # then rings run the other way round
        points = points.copy()
        for a, b in zip(flat.rings, flat.rings[1:]):
            points[a:b] = points[a:b][::-1].copy()
    square = unit**2 if place.transform is not None else 1.0
    areas = flat.areas() * square
    angle = -told.angle_deg % 90 if place.mirrored else told.angle_deg
    names = told.names()
    columns: dict[str, Column] = {
        "id": list(range(1, len(told) + 1)),
        "status": names,
        "reason": [REASONS[name] for name in names],
        "area_m2" if place.metres else "area_px": np.round(areas, 2).tolist(),
        "angle_deg": np.round(angle, 2).tolist(),
        "iou": np.round(told.iou, 4).tolist(),
        "corners": np.diff(flat.rings[flat.polygons]).tolist(),
    }
    if any(each is not None for each in confidence):
        columns["confidence"] = confidence
    return Footprints(flat.with_points(points), place.crs, columns)


def footprints_of_vectors(params: "FootprintParams", source: Path, regularity: Regularity) -> Made:
    """Make polygons of a file regular; MultiPolygons stay together, other attributes are kept."""
    from okulo.apps.footprints.vectors import read_vectors

    read = read_vectors(source, params.resolution)
    flat = read.flat
    areas = flat.areas() * read.unit**2
    which = np.flatnonzero(areas >= params.min_area)
    flat = flat.take(which)
    frame = read.place.frame()[0]
    told = regularize_flat(
        flat,
        regularity,
        frame=frame,
        share_directions=params.share_directions / read.unit,
        threads=params.threads or len(os.sched_getaffinity(0)),
    )
    told = keep_topology(flat, told, regularity, frame, walls=True)
    made = describe(told, read.place, read.unit, [None] * len(told))
    feature = [read.feature[int(k)] for k in which]
    columns = {
        **{n: [v[f] for f in feature] for n, v in read.columns.items() if n not in made.columns},
        **made.columns,
    }
    columns["id"] = [f + 1 for f in feature]
    notes = (*read.notes, f"detail taken as {read.unit:.3g} {'m' if read.place.metres else 'units'}")
    return Made(
        Footprints(made.outlines, made.crs, columns, feature),
        told.outlines,
        len(flat.points),
        read.place.metres,
        notes,
    )
