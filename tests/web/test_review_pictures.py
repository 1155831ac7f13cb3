"""Small copies of pictures, and where two of them differ."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from okulo.core.errors import BadInput
from okulo.io.images import decode
from okulo.web.review.difference import difference
from okulo.web.review.site import Site
from okulo.web.thumbnails import Thumbnails, shrink


def test_copies_are_upright_kept_and_made_anew_when_the_file_changes(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (800, 400), "red").save(tmp_path / "a.jpg", exif=exif)
    copies = Thumbnails(tmp_path, tmp_path / "cache", max_bytes=1 << 20)
    first = copies.get("a.jpg", 256)
    assert decode(first.data).shape == (256, 128, 3) and first.media_type == "image/jpeg"
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(kept) == 1
    kept[0].write_bytes(first.data[:100])  # what a power cut may leave
    assert copies.get("a.jpg", 256) == first
    Image.new("RGB", (80, 40), "blue").save(tmp_path / "a.jpg")
    second = copies.get("a.jpg", 256)
    assert second.tag != first.tag and second.media_type == "image/png"
    assert decode(second.data).shape == (40, 80, 3)


def test_copies_stay_within_their_bound_and_litter_goes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 255, (100, 100, 3), np.uint8)).save(tmp_path / f"{i}.png")
    litter = tmp_path / "cache" / "ab" / "x.part"
    litter.parent.mkdir(parents=True)
    litter.write_bytes(b"half")
    import os

    os.utime(litter, (1, 1))
    copies = Thumbnails(tmp_path, tmp_path / "cache", max_bytes=150_000)
    for i in range(12):
        copies.get(f"{i}.png", 256)
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in files) <= 150_000 and litter not in files
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be made"):
        Thumbnails(tmp_path, tmp_path / "file" / "cache", max_bytes=1)


def test_no_picture_comes_from_outside_of_the_folder(tmp_path: Path, client: TestClient, site: Site) -> None:
    secret = tmp_path.parent / "secret.png"
    Image.new("RGB", (8, 8)).save(secret)
    (tmp_path / "link.png").symlink_to(secret)
    for path in ("../secret.png", str(secret), "link.png", "p/../../secret.png", "a\0b"):
        with pytest.raises(BadInput, match=r"outside|gone"):
            site.thumbnails.get(path, 256)
    for row, why in [
        (27, "lies outside of the data folder"),
        (25, "the file is gone"),
        (26, "cannot be decoded"),
    ]:
        said = client.get(f"/picture/{row}/256")
        assert said.status_code == 200 and said.headers["x-problem"] == why and why in said.text
        assert said.headers["content-type"] == "image/svg+xml"
    assert client.get("/picture/0/256").headers["content-type"] == "image/png"
    assert client.get("/picture/0/999").status_code == client.get("/picture/28/256").status_code == 404
    assert client.get("/difference/0/25").status_code == 400
    tag = client.get("/picture/0/256").headers["etag"]
    assert client.get("/picture/0/256", headers={"if-none-match": tag}).status_code == 304


@given(st.integers(1, 900), st.integers(1, 900), st.integers(1, 300))
def test_a_copy_is_never_larger_and_keeps_its_shape(width: int, height: int, longest: int) -> None:
    small = shrink(np.zeros((height, width, 3), np.uint8), longest)
    assert max(small.shape[:2]) <= max(1, longest) or small.shape[:2] == (height, width)
    assert small.shape[0] <= height and small.shape[1] <= width


def test_differences_show_where_and_how_much() -> None:
    a = np.full((40, 60, 3), 100, np.uint8)
    b = a.copy()
    b[10:20, 30:40] = 200
    drawn, apart = difference(a, b)
    assert apart == pytest.approx(100 * 100 / 2400)
    red = drawn[:, :, 0].astype(int) - drawn[:, :, 1]
    assert (red > 100).sum() == 100 and (red[10:20, 30:40] > 100).all()
    noisy = (a + np.random.default_rng(0).integers(0, 5, a.shape)).astype(np.uint8)
    assert (difference(a, noisy)[0].std(axis=(0, 1)) < 1).all(), "noise of compression is not shown"
    assert difference(a, np.full((80, 120, 3), 100, np.uint8))[1] == 0
    with pytest.raises(BadInput, match="do not lie on each other"):
        difference(a, np.zeros((40, 40, 3), np.uint8))


def test_a_moved_turned_or_mirrored_copy_lies_on_its_original() -> None:
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.float32)
    image = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    turned = cv2.getRotationMatrix2D((160, 120), 9, 1.0)
    for copy in (
        np.ascontiguousarray(image[:, ::-1]),
        np.ascontiguousarray(np.rot90(image)),
        np.ascontiguousarray(image[20:220, 15:290]),
        cv2.warpAffine(image, turned, (320, 240), borderMode=cv2.BORDER_REPLICATE),
    ):
        assert difference(image, copy)[1] < 6
    cropped, _ = difference(image, np.ascontiguousarray(image[:, 60:]))
    blue = cropped[:, :, 2].astype(int) - cropped[:, :, 0]
    assert blue[:, :50].mean() > 20 and abs(blue[:, 70:].mean()) < 5, "what only one shows is told apart"
