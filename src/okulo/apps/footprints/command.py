"""`okulo footprints`: masks, probability maps or raw polygons in; regular footprints out."""

import time
from dataclasses import dataclass
from pathlib import Path

from okulo.apps.footprints.pipeline import Made, footprints_of_mask, footprints_of_vectors
from okulo.apps.footprints.raster import GEO_SUFFIXES, KINDS, PLAIN_SUFFIXES, open_mask
from okulo.apps.footprints.regularize import STATUS, Regularity
from okulo.apps.footprints.vectors import VECTOR_SUFFIXES
from okulo.apps.footprints.write import Footprints, check_suffix, write
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent


@dataclass(frozen=True, kw_only=True)
class FootprintParams(Params):
    """Make regular building outlines of what a segmentation network said, hundreds in a picture.

    Lengths and areas are in metres where the file says where it lies (GeoTIFF with a CRS), else in pixels.
    """

    source: Path = param(help="a mask, a probability map, polygons, or a folder of these", positional=True)
    out: Path = param(help="file to write: .geojson, .gpkg or .shp; of a folder: the folder", short="o")
    strength: float = param(
        1.0, help="how boldly: 2 removes steps twice as deep, 0.5 half", low=0.05, high=20
    )
    iou_floor: float = param(0.7, help="never overlap the mask less than this (IoU)", low=0, high=1)
    kind: str = param("auto", help="what the numbers are", choices=KINDS)
    level: float = param(0.5, help="a building is where the probability is above this", low=0.001, high=0.999)
    min_area: float = param(10.0, help="leave out smaller buildings, m² (px² without a place)", low=0)
    min_hole: float = param(10.0, help="fill smaller courtyards, m² (px²)", low=0)
    share_directions: float = param(0.0, help="neighbours so near take one direction, m (px); 0: no", low=0)
    crs: str = param("auto", help="coordinates: auto (GeoJSON: WGS 84, else the mask's), or pixels")
    resolution: float = param(0.0, help="of polygons: how fine their detail is; 0: found out", low=0)
    tile: int = param(4096, help="read so many pixels square at a time", low=16)
    threads: int = param(0, help="threads; 0: one for each core", low=0, high=256)
    preview: Path | None = param(None, help="also draw the outlines over the mask into this PNG")
    page: Path | None = param(None, help="also write a page to look at them, without any server")
    picture: Path | None = param(None, help="photo to draw under the outlines, same size as the mask")


@dataclass(frozen=True)
class FileReport:
    """What became of one input."""

    source: Path
    out: Path
    buildings: int
    status: dict[str, int]
    vertices_before: int
    vertices_after: int
    mean_iou: float | None
    crs: str
    unit: str
    """m or px."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FootprintReport:
    """All inputs."""

    files: tuple[FileReport, ...]
    seconds: float


def run(params: FootprintParams, progress: Progress = silent) -> FootprintReport:
    """Make footprints of each input."""
    started = time.perf_counter()
    if params.crs not in ("auto", "pixels"):
        raise BadInput("crs", wanted="auto or pixels", got=repr(params.crs))
    if params.source.is_dir():
        files = tuple(progress(_folder(params), label="footprints"))
        if params.preview or params.page or params.picture:
            raise BadInput("preview, page, picture", "are for one input, not for a folder")
        params.out.mkdir(parents=True, exist_ok=True)
        jobs = [(each, params.out / f"{each.stem}.geojson") for each in files]
        said = tuple(_one(params, source, out) for source, out in progress(jobs, label="footprints"))
    else:
        if not params.source.exists():
            raise BadInput(str(params.source), "no such file")
        check_suffix(params.out)
        said = (_one(params, params.source, params.out),)
    return FootprintReport(said, time.perf_counter() - started)


def _folder(params: FootprintParams) -> list[Path]:
    known = (*GEO_SUFFIXES, *PLAIN_SUFFIXES, *VECTOR_SUFFIXES)
    files = sorted(each for each in params.source.iterdir() if each.suffix.lower() in known)
    if not files:
        raise BadInput(str(params.source), f"holds no mask ({', '.join(known)})")
    return files


def _one(params: FootprintParams, source: Path, out: Path) -> FileReport:
    regularity = Regularity(strength=params.strength, iou_floor=params.iou_floor)
    if source.suffix.lower() in VECTOR_SUFFIXES:
        made = footprints_of_vectors(params, source, regularity)
        mask = None
    else:
        mask = open_mask(source, params.kind, params.level)
        made = footprints_of_mask(params, mask, regularity)
    write(out, made.footprints)
    if params.preview is not None:
        from okulo.apps.footprints.preview import draw_preview

        draw_preview(params.preview, made, mask, params.picture)
    if params.page is not None:
        from okulo.apps.footprints.page import write_page

        write_page(params.page, made, mask, params.picture)
    return _report(source, out, made)


def _report(source: Path, out: Path, made: Made) -> FileReport:
    footprints: Footprints = made.footprints
    status = list(footprints.columns["status"])
    ious = [float(each) for each in footprints.columns["iou"] if each is not None]
    return FileReport(
        source,
        out,
        len(footprints),
        {name: status.count(name) for name in STATUS if name in status},
        made.vertices_before,
        len(footprints.outlines.points),
        sum(ious) / len(ious) if ious else None,
        footprints.crs,
        "m" if made.metres else "px",
        made.notes,
    )
