import cv2
import numpy as np
import pytest
from tests.curate.duplicates.pictures import drawings, photo

from okulo.curate.duplicates.align import (
    FLIPS,
    MIRRORED_BINS,
    align,
    best_flip,
    best_tilt,
    flip_matrix,
    match,
    refine,
)
from okulo.curate.duplicates.geometry import whole_matrix
from okulo.curate.duplicates.sketch import sketch

WAYS = range(8)


def flipped(image: np.ndarray, way: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(image[:, ::-1] if way >= 4 else image, way % 4))


def square(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("way", WAYS)
def test_the_way_a_picture_was_flipped_is_found(way: int) -> None:
    image = photo(100, 130, seed=3)
    found, correlation = best_flip(sketch(image).whole, sketch(flipped(image, way)).whole, True)
    assert found == way
    assert correlation > 0.99


@pytest.mark.parametrize("way", WAYS)
def test_the_flip_as_a_matrix_moves_pixels_as_numpy_does(way: int) -> None:
    image = photo(30, 40)
    target = flipped(image, way)
    matrix = flip_matrix(way, (30, 40), (target.shape[0], target.shape[1]))
    moved = cv2.warpAffine(image, matrix, (target.shape[1], target.shape[0]))
    assert np.abs(moved[1:-1, 1:-1].astype(int) - target[1:-1, 1:-1]).max() <= 1


def test_flips_are_permutations() -> None:
    assert (np.sort(FLIPS, axis=1) == np.arange(FLIPS.shape[1])).all()
    assert sorted(MIRRORED_BINS.tolist()) == list(range(128))


def test_renamed_bins_are_the_features_of_the_mirrored_picture() -> None:
    image = drawings()[0]
    a, b = sketch(image), sketch(flipped(image, 4))
    assert len(match(a.features[:, MIRRORED_BINS], b.features)) > 0.7 * min(len(a.at), len(b.at))


def test_a_rotation_is_measured() -> None:
    image = square(drawings()[4])
    turned = cv2.getRotationMatrix2D((47.5, 47.5), 12, 1.0)
    copy = cv2.warpAffine(image, turned, (96, 96), borderValue=(255, 255, 255))
    a, b = sketch(image), sketch(copy)
    found = align(a, b, mirrored=False)
    assert found is not None
    whole = whole_matrix(a, b, found[0])  # of the 96 pixels of both, whatever margins were cut off
    assert np.abs(whole - turned)[:, :2].max() < 0.03
    assert np.abs(whole @ [48, 48, 1] - turned @ [48, 48, 1]).max() < 1.5


def test_a_mirrored_copy_is_aligned_only_when_asked_for() -> None:
    image = drawings()[4]
    a, b = sketch(image), sketch(flipped(image, 4))
    found = align(a, b, mirrored=True)
    assert found is not None
    assert np.linalg.det(found[0][:, :2]) < 0
    upright = align(a, b, mirrored=False)
    assert upright is None or upright[1] < found[1] / 2


def test_a_smooth_picture_is_slid_into_place() -> None:
    image = cv2.GaussianBlur(photo(96, 96, seed=8), (0, 0), 4)
    moved = np.array([[1, 0, 7], [0, 1, -5]], np.float64)
    copy = cv2.warpAffine(image, moved, (96, 96), borderMode=cv2.BORDER_REPLICATE)
    start = np.array([[1, 0, 0], [0, 1, 0]], np.float64)
    found = refine(sketch(image).whole, sketch(copy).whole, [start])
    assert found is not None
    assert np.abs(found @ [48, 48, 1] - moved @ [48, 48, 1]).max() < 1.5


@pytest.mark.parametrize("degrees", [-13, -7, 7, 13])
def test_a_tilt_is_where_sliding_starts(degrees: int) -> None:
    image = cv2.GaussianBlur(photo(96, 128, seed=8), (0, 0), 4)
    turned = cv2.getRotationMatrix2D((63.5, 47.5), degrees, 1.0)
    copy = cv2.warpAffine(image, turned, (128, 96), borderMode=cv2.BORDER_REPLICATE)
    a, b = sketch(image).whole, sketch(copy).whole
    way, likeness = best_flip(a, b, False)
    flat = flip_matrix(way, (72, 96), (72, 96))
    started = best_tilt(a, b, way, flat, likeness)
    assert np.degrees(np.arctan2(started[1, 0], started[0, 0])) == pytest.approx(-degrees, abs=4)
    assert np.abs(started @ [47.5, 35.5, 1] - [47.5, 35.5]).max() < 0.1
    assert (best_tilt(a, a, 0, flat, 1.0) == flat).all()


def test_flat_pictures_have_nothing_to_align_by() -> None:
    flat = sketch(np.full((40, 40, 3), 90, np.uint8))
    assert align(flat, flat, mirrored=True) is None
    assert best_flip(flat.whole, flat.focus, True)[1] == 0
