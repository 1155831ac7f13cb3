"""Sliding edges everywhere at once."""

import cv2
import numpy as np
import pytest
from tests.curate.duplicates.pictures import drawings

from okulo.curate.duplicates.edges import edge_map, map_matrix
from okulo.curate.duplicates.slide import best_slide, ways_laid


def where(image: np.ndarray, other: np.ndarray, mirrored: bool = False) -> tuple[np.ndarray, float]:
    """The affine map from pixels of the one picture to pixels of the other, and how alike their edges are."""
    matrix, likeness = best_slide(ways_laid(edge_map(image), mirrored), edge_map(other), mirrored)
    (high, wide), (height, width) = image.shape[:2], other.shape[:2]
    back = np.linalg.inv(map_matrix(width, height))
    return (back @ np.vstack([matrix, [0, 0, 1]]) @ map_matrix(wide, high))[:2], likeness


@pytest.mark.parametrize("degrees", [-13, -8, 8, 13])
def test_a_turned_and_shifted_drawing_is_found_to_a_map_pixel_or_two(degrees: int) -> None:
    for image in drawings()[:4]:
        small = cv2.resize(image, (96, 80), interpolation=cv2.INTER_AREA)
        true = cv2.getRotationMatrix2D((47.5, 39.5), degrees, 1.0) + np.array([[0, 0, 8], [0, 0, -4]])
        copy = cv2.warpAffine(small, true, (96, 80), borderMode=cv2.BORDER_REPLICATE)
        found, likeness = where(small, copy)
        at = np.array([[30, 60, 45], [25, 50, 60], [1, 1, 1]])
        assert likeness > 0.6
        assert np.abs(found @ at - true @ at).max() < 8  # two of the map's pixels


def test_quarter_turns_and_mirror_images_are_exact() -> None:
    image = np.ascontiguousarray(cv2.resize(drawings()[0], (96, 96), interpolation=cv2.INTER_AREA))
    turned, likeness = where(image, np.ascontiguousarray(np.rot90(image)))
    assert likeness > 0.99
    np.testing.assert_allclose(turned @ [95, 0, 1], [0, 0], atol=1e-6)
    flipped = np.ascontiguousarray(image[:, ::-1])
    assert where(image, flipped)[1] < where(image, flipped, mirrored=True)[1] > 0.99


def test_a_blank_picture_is_like_nothing() -> None:
    blank = np.full((40, 60, 3), 255, np.uint8)
    assert where(blank, drawings()[0])[1] == pytest.approx(0, abs=1e-6)
