"""Pictures: looked at without decoding, and decoded the one way okulo decodes.

A picture is read as it is seen: EXIF orientation applied, transparency laid on white, 16 bits brought to 8,
grey and palette and CMYK turned into RGB.
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image as Pillow

from okulo.core.errors import BadInput

MAX_PIXELS = 100_000_000
"""A picture with more pixels is refused before it is decoded."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
ORIENTATION_TAG = 0x0112
TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


@dataclass(frozen=True)
class Looked:
    """What a picture's header says; width and height are as seen (orientation applied)."""

    width: int
    height: int
    mode: str
    orientation: int
    format: str


def look(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Looked:
    """Read a picture's header only; one that is none, or has more than `max_pixels`, is BadInput."""
    with _opened(data, max_pixels) as picture:
        return _header(picture, max_pixels)


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a picture's bytes to RGB; what cannot be decoded whole is BadInput."""
    return look_and_decode(data, max_pixels=max_pixels)[1]


def look_and_decode(
    data: bytes, *, max_pixels: int = MAX_PIXELS
) -> tuple[Looked, UInt8[np.ndarray, "h w 3"]]:
    """Read header and pixels at once, as `look` and `decode` do."""
    with _opened(data, max_pixels) as picture:
        looked = _header(picture, max_pixels)
        if looked.format == "JPEG" and looked.mode in ("RGB", "L"):
            return looked, _decode_jpeg(data)
        try:
            image = _to_rgb(picture)  # decodes
            return looked, image if looked.format == "TIFF" else _upright(image, looked.orientation)
        except Exception as error:  # Pillow's plugins raise nearly anything on broken data
            raise BadInput("picture", f"cannot be decoded whole ({error})") from error


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> UInt8[np.ndarray, "h w 3"]:
    """Read a picture file as RGB; the error names the file."""
    try:
        return decode(Path(path).read_bytes(), max_pixels=max_pixels)
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
    except BadInput as error:
        raise BadInput(str(path), str(error)) from error


def _opened(data: bytes, max_pixels: int) -> Pillow.Image:
    # No `warnings.catch_warnings` here: it is not safe in threads, and this runs in many.
    try:
        return Pillow.open(BytesIO(data))
    except Pillow.DecompressionBombError as error:
        raise BadInput("picture", wanted=f"at most {max_pixels:,} pixels", got=str(error)) from error
    except Exception as error:  # Pillow's plugins raise nearly anything on broken headers
        raise BadInput("picture", "no picture format that is known here, or its header is broken") from error


def _header(picture: Pillow.Image, max_pixels: int) -> Looked:
    width, height = picture.size
    if width * height > max_pixels:
        raise BadInput("picture", wanted=f"at most {max_pixels:,} pixels", got=f"{width} × {height}")
    try:
        orientation = int(picture.getexif().get(ORIENTATION_TAG, 1) or 1)
    except Exception:  # EXIF data can be broken in any way; the picture is then taken as stored
        orientation = 1
    if not 1 <= orientation <= 8:
        orientation = 1
    if orientation in TURNED and picture.format != "TIFF":  # those Pillow turns itself
        width, height = height, width
    return Looked(width, height, picture.mode, orientation, picture.format or "")


def _decode_jpeg(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    # OpenCV is faster than Pillow and gives the same pixels, but decodes half a file without a word: the
    # end marker must follow the last scan (one inside an EXIF thumbnail comes before it).
    if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise BadInput("picture", "cannot be decoded whole (the JPEG is truncated)")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise BadInput("picture", "cannot be decoded whole (the JPEG is damaged)")
    return image


def _to_rgb(picture: Pillow.Image) -> UInt8[np.ndarray, "h w 3"]:
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 or 32 bits of grey
        grey = np.asarray(picture, dtype=np.float64)
        top = 65535.0 if picture.mode.startswith("I;16") or grey.max(initial=0) > 255 else 255.0
        return np.repeat((grey.clip(0, top) * (255 / top)).round().astype(np.uint8)[:, :, None], 3, axis=2)
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        seen = picture.convert("RGBA")
        picture = Pillow.alpha_composite(Pillow.new("RGBA", seen.size, "white"), seen)
    return np.asarray(picture.convert("RGB"))


def _upright(image: UInt8[np.ndarray, "h w 3"], orientation: int) -> UInt8[np.ndarray, "seen_h seen_w 3"]:
    """Undo EXIF orientation: 2, 4, 5, 7 are mirrored, 3 and 6 and 8 turned.

    >>> _upright(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), 3)[0, 0].tolist()
    [3, 4, 5]
    """
    if orientation in TURNED:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def encode_png(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Encode as PNG, without loss."""
    return bytes(cv2.imencode(".png", image[:, :, ::-1])[1])


def encode_jpeg(image: UInt8[np.ndarray, "h w 3"], *, quality: int = 90) -> bytes:
    """Encode as JPEG of this quality, 1 to 100."""
    return bytes(cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
