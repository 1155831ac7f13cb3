"""Decoding in the server gives the same pixels as everywhere else in okulo."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from okulo.core.errors import BadInput
from okulo.io import images
from okulo.serve.decode import decode

RNG = np.random.default_rng(3)


def picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([127 + 90 * np.sin(x / 9), 127 + 90 * np.cos(y / 7), (x + y) % 256], axis=-1)
    return (smooth + RNG.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)


def file(image: np.ndarray, kind: str, **options: Any) -> bytes:
    to = BytesIO()
    Pillow.fromarray(image).save(to, kind, **options)
    return to.getvalue()


@pytest.mark.parametrize("size", [(256, 256), (255, 333), (17, 31), (8, 8), (1, 1), (640, 427)])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_pixels_are_those_of_io_images(
    size: tuple[int, int], subsampling: int, progressive: bool
) -> None:
    for quality in (30, 75, 95):
        data = file(picture(*size), "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
        assert np.array_equal(decode(data, max_pixels=10**6), images.decode(data))


def turned() -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return file(picture(20, 30), "JPEG", exif=exif)


@pytest.mark.parametrize(
    "data",
    [
        turned(),
        file(picture(9, 9)[..., 0], "JPEG"),
        file(np.dstack([picture(9, 9), picture(9, 9)[..., :1]]), "PNG"),
        file(picture(9, 9), "WEBP", lossless=True),
        file(picture(9, 9), "PNG"),
    ],
)
def test_other_kinds_are_those_of_io_images(data: bytes) -> None:
    assert np.array_equal(decode(data, max_pixels=10**6), images.decode(data))


def test_cmyk_is_that_of_io_images() -> None:
    to = BytesIO()
    Pillow.fromarray(picture(9, 9)).convert("CMYK").save(to, "JPEG")
    assert np.array_equal(decode(to.getvalue(), max_pixels=10**6), images.decode(to.getvalue()))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_and_too_large_pictures_are_bad_input(kind: str) -> None:
    data = file(picture(60, 60), kind)
    with pytest.raises(BadInput, match="at most"):
        decode(data, max_pixels=3599)
    for cut in (0, 1, 10, len(data) // 2):
        with pytest.raises(BadInput, match="picture"):
            decode(data[:cut], max_pixels=10**6)


def test_noise_never_raises_anything_else() -> None:
    good = file(picture(40, 40), "JPEG")
    for _ in range(300):
        data = bytearray(good)
        for at in RNG.integers(2, len(data), 5):
            data[at] = RNG.integers(256)
        try:
            image = decode(bytes(data), max_pixels=10**5)
        except BadInput:
            continue
        assert image.dtype == np.uint8
        assert image.shape[0] * image.shape[1] <= 10**5
