import cv2
import numpy as np
import pytest
from tests.curate.duplicates.pictures import drawings, photo

from okulo.curate.duplicates.appearance import NOTHING, compare

SAME = np.array([[1, 0, 0], [0, 1, 0]], np.float64)


def test_a_picture_agrees_with_itself() -> None:
    seen = compare(photo(), photo(), SAME)
    assert seen.correlation == pytest.approx(1, abs=1e-6)
    assert (seen.agreement, seen.overlap) == (1, 1)
    assert seen.worst < 1e-6


@pytest.mark.parametrize("gain", [0.4, 1.7])
def test_exposure_is_undone_and_clipping_forgiven(gain: float) -> None:
    image = photo()
    exposed = (image * gain).clip(0, 255).astype(np.uint8)
    for a, b in ((image, exposed), (exposed, image)):
        assert compare(a, b, SAME).correlation > 0.97


def test_another_colour_is_another_picture() -> None:
    image = photo()
    assert compare(image, np.ascontiguousarray(image[..., ::-1]), SAME).correlation < 0.7


def test_a_caption_is_looked_past() -> None:
    image = photo()
    captioned = image.copy()
    captioned[100:114] = 0
    seen = compare(image, captioned, SAME)
    assert seen.correlation < 0.9
    assert seen.beside > 0.99
    assert seen.beside_agreement == 1


def test_a_shared_frame_round_another_motif_disagrees() -> None:
    one, other = drawings()[0].copy(), drawings()[5].copy()
    side = min(one.shape[0], one.shape[1], other.shape[0], other.shape[1])
    one, other = one[:side, :side].copy(), other[:side, :side].copy()
    for image in (one, other):
        image[:5], image[-5:], image[:, :5], image[:, -5:] = 0, 0, 0, 0
    assert compare(one, other, SAME).agreement < 0.5


def test_too_small_an_overlap_says_nothing() -> None:
    away = np.array([[1, 0, 150], [0, 1, 0]], np.float64)
    assert compare(photo(), photo(), away) == NOTHING


def test_flat_pictures_do_not_divide_by_zero() -> None:
    flat = np.full((50, 50, 3), 128, np.uint8)
    seen = compare(flat, flat, SAME)
    assert (seen.correlation, seen.texture) == (0, 0)


@pytest.mark.parametrize("ink", [0, 255])
def test_a_caption_is_no_matter_of_exposure(ink: int) -> None:
    pale = np.full((120, 90, 3), 255, np.uint8)
    cv2.circle(pale, (45, 60), 25, (205, 225, 245), 3)
    captioned = pale.copy()
    captioned[20:32] = 255 - ink
    cv2.putText(captioned, "for sale", (4, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (ink, ink, ink))
    for a, b in ((pale, captioned), (captioned, pale)):
        assert compare(a, b, SAME).beside > 0.99


def test_odd_is_what_one_picture_lacks_and_not_what_lies_askew() -> None:
    page = np.full((120, 120, 3), 255, np.uint8)
    cv2.circle(page, (60, 60), 50, (40, 90, 160), -1)
    askew = compare(page, np.roll(page, 2, axis=1), SAME)
    assert askew.odd_worst == 0 and askew.worst > 0.01
    more = page.copy()
    cv2.circle(more, (60, 45), 9, (200, 0, 0), -1)
    cv2.circle(more, (60, 85), 9, (200, 0, 0), -1)  # two, since one alone could be a caption
    assert compare(page, more, SAME).odd_worst > 0.5
