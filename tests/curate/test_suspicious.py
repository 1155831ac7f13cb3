from pathlib import Path

import cv2
import numpy as np

from okulo.curate.suspicious import Looks, find_suspicious, measure_look, measure_looks
from okulo.io.images import encode_png


def scene(rng: np.random.Generator, height: int = 120, width: int = 160) -> np.ndarray:
    """Something like a photograph: soft shapes, edges and a little grain."""
    image = cv2.resize(rng.uniform(30, 220, (5, 7, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(6):
        a, b = rng.integers(0, [width, height], (2, 2)).tolist()
        cv2.rectangle(image, a, b, rng.uniform(20, 235, 3).tolist(), int(rng.integers(1, 6)))
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def found(images: list[np.ndarray]) -> dict[int, str]:
    looks = Looks(np.stack([measure_look(image) for image in images]), ("",) * len(images))
    rows = find_suspicious([str(i) for i in range(len(images))], looks)
    assert len({item for item, *_ in rows}) == len(rows), "no picture is named twice"
    return {int(item): kind for item, kind, _, _ in rows}


def test_spoiled_pictures_are_found_and_good_ones_left_in_peace() -> None:
    rng = np.random.default_rng(0)
    images = [scene(rng) for _ in range(60)]
    images[1] = np.full((120, 160, 3), 200, np.uint8)
    images[2] = (images[2] * 0.08).astype(np.uint8)
    images[3] = (255 - (255 - images[3].astype(float)) * 0.05).astype(np.uint8)
    images[4] = cv2.GaussianBlur(images[4], (0, 0), 6)
    images[5] = scene(rng, 20, 320)
    images[6] = scene(rng, 6, 9)
    flat = np.full((120, 160, 3), 120, np.uint8)
    flat[60:63, 60:75] = 0
    images[7] = flat
    assert found(images) == {
        1: "blank", 2: "dark", 3: "bright", 4: "blurred", 5: "odd-shape", 6: "tiny", 7: "low-information",
    }  # fmt: skip


def test_what_most_pictures_are_is_no_finding() -> None:
    rng = np.random.default_rng(0)
    dark = [(scene(rng) * 0.1).astype(np.uint8) for _ in range(40)]
    assert found(dark) == {}
    banners = [scene(rng, 30, 300) for _ in range(40)]
    assert found(banners) == {}


def test_small_pictures_are_not_called_blurred() -> None:
    rng = np.random.default_rng(0)
    images = [scene(rng, 28, 28) for _ in range(40)]
    images[3] = cv2.GaussianBlur(images[3], (0, 0), 4)
    assert 3 not in found(images)


def test_files_that_cannot_be_read_are_named_in_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "good.png").write_bytes(encode_png(scene(rng)))
    (tmp_path / "bad.png").write_bytes(encode_png(scene(rng))[:200])
    files = [tmp_path / name for name in ("good.png", "bad.png", "none.png", "good.png")]
    looks = measure_looks(files)
    assert [bool(problem) for problem in looks.problems] == [False, True, True, False]
    assert np.isnan(looks.values[1:3]).all() and (looks.values[0] == looks.values[3]).all()
    rows = find_suspicious([path.name for path in files], looks)
    assert [row[:2] for row in rows] == [("bad.png", "unreadable"), ("none.png", "unreadable")]
    assert "No such file" in rows[1][3]
