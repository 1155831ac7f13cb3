"""Pictures are read as they are seen, whatever the file; Pillow's own operations are the reference."""

import warnings
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps

from okulo.core.errors import BadInput
from okulo.io.images import decode, encode_jpeg, encode_png, look, read_image

SMOOTH = np.stack(np.broadcast_arrays(*np.ogrid[0:200:20j, 0:250:12j], 90.0), axis=2).astype(np.uint8)


def packed(picture: Image.Image, kind: str, **options: object) -> bytes:
    data = BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_as_pillow_does(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    data = packed(Image.fromarray(SMOOTH), kind, exif=exif, **options)
    with Image.open(BytesIO(data)) as picture:
        wanted = np.asarray(ImageOps.exif_transpose(picture))
    got = decode(data)
    looked = look(data)
    assert got.shape == wanted.shape == (looked.height, looked.width, 3)
    assert looked.orientation == orientation
    assert np.abs(got.astype(int) - wanted).max() <= 2  # two JPEG decoders may round differently


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "PPM", "WEBP", "JPEG"])
def test_every_format_gives_the_picture_back(kind: str) -> None:
    picture = Image.fromarray(SMOOTH)
    if kind == "GIF":
        picture = picture.quantize(256)
    data = packed(picture, kind, **({"lossless": True} if kind == "WEBP" else {}))
    off = np.abs(decode(data).astype(int) - SMOOTH)
    assert off.mean() <= (0 if kind in ("PNG", "BMP", "TIFF", "PPM", "WEBP") else 6)
    assert (look(data).width, look(data).height) == (12, 20)


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_png_loses_nothing(image: np.ndarray) -> None:
    assert np.array_equal(decode(encode_png(image)), image)


def test_transparency_is_laid_on_white() -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 0] = 200
    rgba[0, :, 3] = (0, 128, 255)
    got = decode(packed(Image.fromarray(rgba), "PNG"))[0]
    assert got[0].tolist() == [255, 255, 255]
    assert got[2].tolist() == [200, 0, 0]
    assert np.abs(got[1].astype(int) - [227, 127, 127]).max() <= 1  # half of red on white, by hand


def test_a_transparent_palette_entry_is_white() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 0])
    picture.putpixel((1, 0), 1)
    data = packed(picture, "PNG", transparency=0)
    assert decode(data)[0].tolist() == [[255, 255, 255], [200, 100, 0]]


def test_cmyk_becomes_rgb_as_pillow_does() -> None:
    cmyk = Image.fromarray(SMOOTH).convert("CMYK")
    for kind in ("JPEG", "TIFF"):
        data = packed(cmyk, kind)
        with Image.open(BytesIO(data)) as picture:
            wanted = np.asarray(picture.convert("RGB"))
        assert look(data).mode == "CMYK"
        assert np.array_equal(decode(data), wanted)


@pytest.mark.parametrize("top", [65535, 255])
def test_16_bits_of_grey_are_brought_to_8(top: int) -> None:
    grey = np.array([[0, top // 2, top]], np.uint16)
    got = decode(packed(Image.fromarray(grey), "PNG"))[0, :, 0]
    assert got.tolist() == [round(v * 255 / 65535) for v in grey[0].tolist()]


def test_one_bit_and_grey_pictures_have_three_channels() -> None:
    assert decode(packed(Image.new("1", (3, 2), 1), "PNG")).tolist() == [[[255] * 3] * 3] * 2
    assert decode(packed(Image.new("L", (3, 2), 7), "PNG")).tolist() == [[[7] * 3] * 3] * 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.3, 0.7, 0.97])
def test_a_truncated_file_is_bad_input(kind: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = packed(Image.fromarray(noise), kind)
    with pytest.raises(BadInput, match=r"no picture format|cannot be decoded whole"):
        decode(data[: int(len(data) * kept)])


def test_a_truncated_photo_with_a_thumbnail_inside_is_bad_input() -> None:
    thumbnail = encode_jpeg(SMOOTH)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = packed(Image.fromarray(noise), "JPEG", exif=b"Exif\x00\x00" + thumbnail)
    assert decode(data).shape == (64, 64, 3)
    with pytest.raises(BadInput, match="truncated"):
        decode(data[: len(data) // 2])


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    data = packed(Image.new("1", (3000, 2000)), "PNG")
    assert len(data) < 2000
    with pytest.raises(BadInput, match="expected at most 1,000,000 pixels, got 3000 × 2000"):
        decode(data, max_pixels=1_000_000)
    with pytest.raises(BadInput, match="at most"):
        look(data, max_pixels=1_000_000)


def test_a_bomb_beyond_pillows_own_bound_is_refused_too() -> None:
    header = bytearray(packed(Image.new("1", (8, 8)), "BMP"))
    header[18:26] = np.array([60_000, 60_000], "<i4").tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(BadInput, match="at most 100,000,000 pixels"):
            look(bytes(header))


@given(
    st.binary(max_size=200),
    st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"]),
    st.integers(0, 99),
)
def test_broken_bytes_are_bad_input_or_a_picture(noise: bytes, kind: str, cut: int) -> None:
    data = bytearray(packed(Image.fromarray(SMOOTH).quantize(4).convert("RGB"), kind))
    at = len(data) * cut // 100
    data[at : at + len(noise)] = noise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(BadInput):
            assert decode(bytes(data)).dtype == np.uint8


def test_the_error_names_the_file(tmp_path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(BadInput, match=r"a\.png: cannot be read \(No such file"):
        read_image(path)
    path.write_bytes(b"no picture")
    with pytest.raises(BadInput, match=r"a\.png: picture: no picture format"):
        read_image(path)
