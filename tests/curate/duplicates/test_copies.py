import numpy as np
import pytest
from tests.curate.duplicates.pictures import photo

from okulo.core.checks import check_image
from okulo.curate.duplicates.copies import KINDS, watermark


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(120, 160), (48, 200)])
def test_every_copy_is_a_picture_and_the_same_for_the_same_seed(kind: str, size: tuple[int, int]) -> None:
    image = photo(*size)
    before = image.copy()
    copy = KINDS[kind](image, np.random.default_rng(5))
    check_image(copy)
    assert (image == before).all()
    assert (copy == KINDS[kind](image, np.random.default_rng(5))).all()
    assert copy.shape != image.shape or (copy != image).any()


def test_exposure_is_a_gain() -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)
    assert 130 <= KINDS["overexpose"](grey, np.random.default_rng(0)).mean() <= 180
    assert 35 <= KINDS["underexpose"](grey, np.random.default_rng(0)).mean() <= 70


def test_a_crop_keeps_eighty_percent_of_each_side() -> None:
    for seed in range(20):
        height, width = KINDS["crop"](photo(), np.random.default_rng(seed)).shape[:2]
        assert height >= 0.8 * 120 - 1
        assert width >= 0.8 * 160 - 1


def test_a_watermark_changes_little() -> None:
    image = photo()
    assert np.abs(watermark(image).astype(int) - image).mean() < 20
