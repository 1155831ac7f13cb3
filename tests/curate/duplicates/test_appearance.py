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
