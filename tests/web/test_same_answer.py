"""The promise: browser, server and Python give the same answer to the same picture."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from okulo.io.images import decode
from okulo.runtime.modelfile import load
from okulo.serve.app import make_app
from okulo.serve.service import Service
from okulo.web.beside import beside
from okulo.web.pages import make_pages

from .conftest import OpenPage
from .reading import answered, give, ready, results, shares
from .small_model import sample_files
from .stand_in import serve


@pytest.fixture(scope="module")
def okulo_serve(engine: None, models: dict[str, Path]) -> Iterator[str]:
    """okulo's own server, with the page beside it."""
    service = Service([str(path) for path in models.values()])
    service.open()
    pages = make_pages(lambda: {name: (each.path, each.info) for name, each in service.newest.items()})
    server, thread, url = serve(beside(make_app(service), lambda: pages))
    yield url
    server.should_exit = True
    thread.join(10)
    service.close(5)
    assert not thread.is_alive()


@pytest.mark.parametrize("name", ["clipart", "sorts"])
def test_browser_server_and_python_agree_on_100_pictures(
    open_page: OpenPage, okulo_serve: str, models: dict[str, Path], name: str
) -> None:
    files = sample_files(25)
    assert len(files) == 100
    model = load(models[name])
    python = np.stack([each["probabilities"] for each in model.predict([decode(data) for _, data in files])])
    page = open_page(f"#model={name}&in=server", url=okulo_serve)
    ready(page)
    give(page, files)
    server = results(page)
    page.locator("#in-browser").check()
    answered(page)
    browser = results(page)
    assert {each["place"] for each in server} == {"server"}
    assert {each["place"] for each in browser} == {"browser"}
    assert len(set(python.argmax(axis=1))) >= 4, "the pictures should not all have one answer"
    for said in (server, browser):
        assert [each["name"] for each in said] == [name for name, _ in files]
        given = np.stack([shares(each) for each in said])
        assert (given.argmax(axis=1) == python.argmax(axis=1)).all()
        assert np.abs(given - python).max() < 1e-5  # promised: 1e-3
    if model.info.threshold:
        unsure = python.max(axis=1) < model.info.threshold.value
        assert 5 < unsure.sum() < 95
        for said in (server, browser):
            assert [each["answer"]["dontKnow"] for each in said] == unsure.tolist()  # type: ignore[index]


def exotic_pictures() -> dict[str, bytes]:
    """Every kind of file that a browser and Pillow could see differently."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    smooth = Pillow.fromarray(coarse).resize((121, 83), Pillow.Resampling.BICUBIC)
    noise = rng.integers(0, 256, (40, 57, 4), dtype=np.uint8)
    made: dict[str, bytes] = {}

    def put(name: str, picture: Pillow.Image, **options: object) -> None:
        file = BytesIO()
        kind = {"jpg": "JPEG"}.get(name[-3:], name.rpartition(".")[2].upper())
        picture.save(file, kind, **options)
        made[name] = file.getvalue()

    for quality, sampling in [(30, 2), (75, 1), (90, 0), (100, 2)]:
        put(f"q{quality}-{sampling}.jpg", smooth, quality=quality, subsampling=sampling)
    put("progressive.jpg", smooth, quality=80, progressive=True)
    put("grey.jpg", smooth.convert("L"), quality=80)
    put("cmyk.jpg", smooth.convert("CMYK"), quality=80)
    put("rgba.png", Pillow.fromarray(noise))
    put("la.png", Pillow.fromarray(noise[:, :, :2].copy()))
    put("palette.png", smooth.quantize(60), transparency=3)
    put("grey.png", smooth.convert("L"))
    put("bits.png", smooth.convert("1"))
    put("gamma.png", smooth, icc_profile=None, dpi=(72, 72))
    put("lossy.webp", smooth, quality=70)
    put("rgba.webp", Pillow.fromarray(noise), lossless=True, exact=True)
    put("plain.bmp", smooth)
    put("plain.gif", smooth.quantize(60))
    for turn in range(1, 9):
        exif = Pillow.Exif()
        exif[0x0112] = turn
        put(f"turned{turn}.jpg", smooth, quality=85, exif=exif)
        put(f"turned{turn}.png", smooth, exif=exif)
        put(f"turned{turn}.webp", smooth, lossless=True, exif=exif)
    return made


DECODE = """async (text) => {
  const {decode} = await import('./static/ask/decode.js')
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
  try {
    const {rgb, width, height} = await decode(new Blob([bytes]))
    return [width, height, btoa(Array.from(rgb, (c) => String.fromCharCode(c)).join(''))]
  } catch (error) { return error.message }
}"""


def decoded_by(page: object, data: bytes) -> np.ndarray | str:
    from base64 import b64decode, b64encode

    said = page.evaluate(DECODE, b64encode(data).decode())  # type: ignore[attr-defined]
    if isinstance(said, str):
        return said
    width, height, pixels = said
    return np.frombuffer(b64decode(pixels), np.uint8).reshape(height, width, 3)


def test_the_browser_decodes_every_kind_of_picture_to_the_same_bytes(open_page: OpenPage) -> None:
    page = open_page()
    wrong = []
    for name, data in exotic_pictures().items():
        said, wanted = decoded_by(page, data), decode(data)
        if isinstance(said, str) or not np.array_equal(said, wanted):
            worst = (
                said
                if isinstance(said, str) or said.shape != wanted.shape
                else np.abs(said - 0.0 - wanted).max()
            )
            wrong.append((name, worst))
    assert wrong == []


def test_sixteen_bits_of_grey_differ_by_one_step_at_most(open_page: OpenPage) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 50)).astype(np.uint16)
    file = BytesIO()
    Pillow.fromarray(deep).save(file, "PNG")
    said, wanted = decoded_by(open_page(), file.getvalue()), decode(file.getvalue())
    assert np.abs(said.astype(int) - wanted).max() <= 1  # type: ignore[union-attr]


def test_huge_and_broken_pictures_are_refused_in_plain_words(open_page: OpenPage) -> None:
    page = open_page()
    file = BytesIO()
    Pillow.new("1", (6000, 5000)).save(file, "PNG")
    assert decoded_by(page, file.getvalue()) == "30 megapixels: a browser takes up to 25, ask the server"
    for broken in (b"", b"nope", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8X", b"GIF89a"):
        assert decoded_by(page, broken) == "this browser cannot decode it as a picture"


def test_half_a_jpeg_is_refused_as_python_refuses_it(open_page: OpenPage) -> None:
    whole = exotic_pictures()["q90-0.jpg"]
    said = decoded_by(open_page(), whole[: len(whole) // 2])
    assert isinstance(said, str), "half a picture must not be answered"
