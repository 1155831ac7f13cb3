import numpy as np
import pytest
from tests.curate.duplicates.pictures import drawings, photo

from okulo.curate.duplicates.geometry import geometry
from okulo.curate.duplicates.sketch import sketch
from okulo.curate.duplicates.trim import content_box


def on_a_page(image: np.ndarray, left: int, top: int, side: int = 600, frame: int = 0) -> np.ndarray:
    page = np.full((side, side, 3), 255, np.uint8)
    page[top : top + image.shape[0], left : left + image.shape[1]] = image
    if frame:
        page[:frame], page[-frame:], page[:, :frame], page[:, -frame:] = 0, 0, 0, 0
    return page


@pytest.mark.parametrize("frame", [0, 20])
def test_the_motif_is_found_on_its_page_and_in_a_frame(frame: int) -> None:
    left, top, right, bottom = content_box(on_a_page(photo(120, 160), 300, 200, frame=frame))
    assert np.abs(np.array([left, top, right, bottom]) - [300, 200, 460, 320]).max() <= 3


@pytest.mark.parametrize("colours", [(0, 255), (200, 90), (128, 128)])
def test_a_picture_of_plain_stripes_is_left_whole(colours: tuple[int, int]) -> None:
    flag = np.empty((60, 90, 3), np.uint8)
    flag[:30], flag[30:] = colours
    assert content_box(flag) == (0, 0, 90, 60)


def test_a_thin_strip_is_left_whole() -> None:
    assert content_box(photo(4, 300)) == (0, 0, 300, 4)


def test_a_motif_at_another_place_of_the_page_looks_the_same() -> None:
    small = photo(80, 90)
    a, b = sketch(on_a_page(small, 40, 50)), sketch(on_a_page(small, 400, 380))
    assert float(a.focus.thumb @ b.focus.thumb) > 0.9  # its box is right to a pixel or two
    assert float(a.whole.thumb @ b.whole.thumb) < 0.5
    height, width = a.focus.small.shape[:2]
    match = np.array([[b.focus.small.shape[1] / width, 0, 0], [0, b.focus.small.shape[0] / height, 0]])
    said = geometry(a, b, match)
    assert said.zoom < 0.05
    assert said.tilt == 0
    assert said.frame == pytest.approx(0.18 / (2 - 0.18), abs=0.01)  # 360 and 330 of 600 pixels apart


def test_geometry_reads_turns_and_mirrors() -> None:
    seen = sketch(drawings()[4])
    for degrees, tilt in ((90.0, 0.0), (10.0, 10.0), (100.0, 10.0), (-30.0, 30.0)):
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        for mirror in (1, -1):
            if seen.cut:
                continue
            said = geometry(seen, seen, np.array([[mirror * cos, -sin, 0], [mirror * sin, cos, 0]]))
            assert said.tilt == pytest.approx(tilt, abs=0.5)
            assert said.squash == pytest.approx(0, abs=0.05)
