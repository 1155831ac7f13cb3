"""Masks as files: one band, read window by window, and where its pixels lie in the world."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Shaped

from okulo.apps.footprints.regularize import Frame
from okulo.core.errors import BadInput, need

KINDS = ("auto", "probability", "mask", "labels")
GEO_SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".img")
PLAIN_SUFFIXES = (".png", ".bmp", ".pgm", ".webp", ".npy")
METRES_PER_DEGREE = 111_319.49
MAX_PLAIN_PIXELS = 400_000_000
BLOCK = 4096
Read = Callable[[int, int, int, int], Shaped[np.ndarray, "h w"]]


@dataclass(frozen=True)
class Place:
    """Where pixels lie in the world: `x = t[0] + t[1] col + t[2] row`, `y = t[3] + t[4] col + t[5] row`.

    `crs`: as rasterio names it, "" if none is known; `metres`: whether lengths are metres (they are pixels in
    a plain picture, and the raster's own units if it has a place but no known system).
    """

    transform: tuple[float, float, float, float, float, float] | None = None
    crs: str = ""
    geographic: bool = False
    middle_row: float = 0.0

    @property
    def metres(self) -> bool:
        """Whether the frame's unit is known in metres."""
        return bool(self.crs)

    def frame(self) -> tuple[Frame, float]:
        """Give the frame in which angles are true, and how long its unit is (m; 1 for plain pictures)."""
        if self.transform is None:
            return Frame(), 1.0
        _, a, b, _, d, e = self.transform
        matrix = np.array([[a, b], [d, e]], np.float64)
        if self.geographic:
            latitude = self.transform[3] + e * self.middle_row
            matrix = np.diag([np.cos(np.radians(latitude)), 1.0]) @ matrix * METRES_PER_DEGREE
        area = float(np.linalg.det(matrix))
        if area < 0:
            matrix = np.diag([1.0, -1.0]) @ matrix  # outlines keep running the same way
        unit = float(np.sqrt(abs(area)))
        return Frame(matrix / unit), unit

    @property
    def mirrored(self) -> bool:
        """Whether y points up in the world: as nearly always on a map."""
        if self.transform is None:
            return False
        _, a, b, _, d, e = self.transform
        return a * e - b * d < 0

    def to_world(self, points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Take pixel positions to the world's coordinates; pixels stay pixels in a plain picture."""
        if self.transform is None:
            return points
        x0, a, b, y0, d, e = self.transform
        return np.stack(
            [x0 + a * points[:, 0] + b * points[:, 1], y0 + d * points[:, 0] + e * points[:, 1]], axis=1
        )


@dataclass(frozen=True)
class Mask:
    """A mask to be read in windows (row, column, height, width); `level` divides inside from outside."""

    name: str
    height: int
    width: int
    read: Read
    kind: str
    level: float
    scale: float
    """What full certainty is: 1 or 255."""
    place: Place


def open_mask(path: Path, kind: str = "auto", level: float = 0.5) -> Mask:
    """Open a mask: probabilities (float 0 to 1, or bytes 0 to 255), a binary mask, or labels of instances."""
    path = Path(path)
    if not path.is_file():
        raise BadInput(str(path), "no such file")
    suffix = path.suffix.lower()
    if suffix in GEO_SUFFIXES:
        height, width, read, place = _open_raster(path)
    elif suffix in PLAIN_SUFFIXES:
        band = read_plain(path)
        height, width = band.shape
        read, place = _windows_of(band), Place()
    else:
        known = ", ".join((*GEO_SUFFIXES, *PLAIN_SUFFIXES))
        raise BadInput(str(path), wanted=f"a mask ({known})", got=suffix or "no suffix")
    kind, scale = _kind_of(str(path), height, width, read, kind)
    cut = level * scale if kind == "probability" else 0.5
    return Mask(path.name, height, width, read, kind, cut, scale, place)


def mask_of(values: Shaped[np.ndarray, "h w"], kind: str = "auto", level: float = 0.5) -> Mask:
    """Take an array as a mask of plain pixels."""
    values = one_band("mask", values)
    read = _windows_of(values)
    height, width = values.shape
    kind, scale = _kind_of("mask", height, width, read, kind)
    cut = level * scale if kind == "probability" else 0.5
    return Mask("mask", height, width, read, kind, cut, scale, Place())


def one_band(what: str, band: np.ndarray) -> Shaped[np.ndarray, "h w"]:
    """Take the one band of a picture; three that differ are BadInput: a photo, not a mask."""
    if band.ndim == 3 and band.shape[2] in (1, 2):
        band = band[:, :, 0]
    if band.ndim == 3 and band.shape[2] in (3, 4):
        if not ((band[:, :, 0] == band[:, :, 1]) & (band[:, :, 1] == band[:, :, 2])).all():
            raise BadInput(
                what,
                wanted="one band: a mask or probabilities",
                got="3 bands that differ",
                hint="is this the photo? give what a segmentation network said of it",
            )
        band = band[:, :, 0]
    if band.ndim != 2 or not band.size:
        raise BadInput(what, wanted="one band, at least one pixel", got=f"shape {band.shape}")
    if band.dtype.kind not in "buif":
        raise BadInput(what, wanted="numbers", got=band.dtype)
    return np.ascontiguousarray(band)


def read_plain(path: Path) -> Shaped[np.ndarray, "h w"]:
    """Read a plain picture's one band, without loss: 8 and 16 bits and palettes as they are; or a .npy
    array."""
    from PIL import Image as Pillow

    try:
        if path.suffix.lower() == ".npy":
            return one_band(str(path), np.load(path, allow_pickle=False))
        with Pillow.open(path) as picture:
            width, height = picture.size
            if width * height > MAX_PLAIN_PIXELS:
                raise BadInput(
                    str(path),
                    f"has {width * height:,} pixels",
                    hint="write it as a tiled GeoTIFF: read in windows",
                )
            return one_band(str(path), np.asarray(picture))
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise BadInput(str(path), f"cannot be read ({error})") from error


def _windows_of(band: Shaped[np.ndarray, "h w"]) -> Read:
    def read(row: int, column: int, height: int, width: int) -> Shaped[np.ndarray, "h w"]:
        return _without_nan(band[row : row + height, column : column + width])

    return read


def _without_nan(values: Shaped[np.ndarray, "h w"]) -> Shaped[np.ndarray, "h w"]:
    """Take what is no number as outside."""
    if values.dtype.kind == "f" and np.isnan(values).any():
        values = np.nan_to_num(values, nan=0.0)
    return values


def _open_raster(path: Path) -> tuple[int, int, Read, Place]:
    rasterio = need("rasterio", extra="geo", verb="a GeoTIFF")
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)  # pixels are fine
            file = rasterio.open(path)
    except rasterio.errors.RasterioError as error:
        raise BadInput(str(path), f"cannot be read ({error})") from error
    if file.count != 1:
        raise BadInput(
            str(path),
            wanted="one band: a mask or probabilities",
            got=f"{file.count} bands",
            hint="is this the photo? give what a segmentation network said of it",
        )
    if np.dtype(file.dtypes[0]).kind not in "buif":
        raise BadInput(str(path), wanted="numbers", got=file.dtypes[0])
    nodata = file.nodata

    def read(row: int, column: int, height: int, width: int) -> Shaped[np.ndarray, "h w"]:
        window = rasterio.windows.Window(column, row, width, height)
        try:
            values: np.ndarray = file.read(1, window=window)
        except rasterio.errors.RasterioError as error:
            raise BadInput(str(path), f"cannot be read whole ({error})") from error
        if nodata is not None and not np.isnan(nodata):
            values = np.where(values == nodata, values.dtype.type(0), values)
        return _without_nan(values)

    a, b, x0, d, e, y0 = tuple(file.transform)[:6]
    placed = not file.transform.is_identity
    crs = "" if file.crs is None else file.crs.to_string()
    place = Place(
        (x0, a, b, y0, d, e) if placed else None,
        crs if placed else "",
        bool(file.crs and file.crs.is_geographic),
        file.height / 2,
    )
    return file.height, file.width, read, place


def _kind_of(what: str, height: int, width: int, read: Read, kind: str) -> tuple[str, float]:
    """Say what the numbers mean, and what full certainty is, from a look at all of them, a block at a
    time."""
    low, high, dtype = np.inf, -np.inf, np.dtype(np.uint8)
    for row in range(0, height, BLOCK):
        for column in range(0, width, BLOCK):
            block = read(row, column, min(BLOCK, height - row), min(BLOCK, width - column))
            low, high, dtype = min(low, float(block.min())), max(high, float(block.max())), block.dtype
    if low < 0 or not np.isfinite(high):
        raise BadInput(what, wanted="values from 0", got=f"{low:g} to {high:g}", hint="are these logits?")
    if dtype.kind == "f" and kind in ("auto", "probability"):
        if high > 1:
            raise BadInput(what, wanted="probabilities from 0 to 1", got=f"up to {high:g}")
        return "probability", 1.0
    if kind == "probability":
        return kind, 1.0 if high <= 1 else float(np.iinfo(dtype).max)
    if kind in ("mask", "labels"):
        return kind, 1.0
    if high <= 1:
        return "mask", 1.0
    if dtype == np.uint8 and high >= 128:
        return "probability", 255.0
    if dtype != np.uint8:
        return "labels", 1.0
    raise BadInput(
        what, f"bytes up to {high:g} may be labels or probabilities", hint="say --kind labels or probability"
    )
