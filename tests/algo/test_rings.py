"""Rings and contours beside shapely."""

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from okulo.algo.ring_kernels import covered, crossings_of, is_simple, overlap, rings_touch
from okulo.algo.rings import contours


def star(rng: np.random.Generator, corners: int, *, middle=(20.0, 20.0)) -> np.ndarray:
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    far = rng.uniform(4, 18, corners)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * far[:, None] + middle


@given(seed=st.integers(0, 10_000), corners=st.integers(3, 12))
def test_what_a_ring_covers_is_its_area(seed: int, corners: int) -> None:
    ring = star(np.random.default_rng(seed), corners)
    shares = covered(ring, np.array([0, corners]), 40, 40, 64)
    shape = shapely.Polygon(ring)
    assert abs(float(shares.sum()) - shapely.make_valid(shape).area) < 0.5 or not shape.is_valid
    assert shares.min() >= 0
    assert shares.max() <= 1 + 1e-5


def test_a_half_pixel_is_half_covered() -> None:
    ring = np.array([[0.25, 0.0], [1.5, 0.0], [1.5, 2.0], [0.25, 2.0]])
    shares = covered(ring, np.array([0, 4]), 2, 3, 4)
    np.testing.assert_allclose(shares, [[0.75, 0.5, 0.0]] * 2, atol=1e-6)


@given(seed=st.integers(0, 10_000), corners=st.integers(3, 10))
def test_simple_rings_are_those_of_shapely(seed: int, corners: int) -> None:
    ring = np.random.default_rng(seed).uniform(0, 10, (corners, 2))
    assert is_simple(ring) == shapely.LinearRing(ring).is_simple


@given(seed=st.integers(0, 10_000))
def test_touch_and_overlap_are_those_of_shapely(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = star(rng, 9), star(rng, 9, middle=tuple(rng.uniform(10, 30, 2)))
    one, other = shapely.LinearRing(a), shapely.LinearRing(b)
    assert rings_touch(a, b) == one.intersects(other)
    both, either = (shapely.Polygon(a), shapely.Polygon(b)), np.array([0, 9])
    if both[0].is_valid and both[1].is_valid:
        share = overlap(a, either, b, either, 32.0)
        assert abs(share - both[0].intersection(both[1]).area / both[0].union(both[1]).area) < 0.02


def test_many_crossings_of_a_line_are_sorted() -> None:
    x = np.repeat(np.arange(60.0), 2)[::-1]
    y = np.tile([0.0, 3.0, 3.0, 0.0], 30)
    ring = np.concatenate([np.stack([x, y], axis=1), [[0.0, -1.0], [60.0, -1.0]]])
    rows, counts = crossings_of(ring, np.array([0, len(ring)]), 0.0, 1.0, 3)
    assert counts.min() > 16
    for row, count in zip(rows, counts):
        assert (np.diff(row[:count]) >= 0).all()


def test_contours_keep_area_and_holes() -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[3:25, 4:33] = 1
    mask[8:15, 10:20] = 0
    found = contours(mask, 0.5)
    assert [len(found), len(found.polygon(0))] == [1, 2]
    np.testing.assert_allclose(found.areas(), [22 * 29 - 7 * 10], atol=1.1)  # corners are cut by 1/8 px²
