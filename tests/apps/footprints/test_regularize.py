"""Regular outlines: of known buildings, the same however they lie, valid, honest about what became."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from okulo.algo.rings import FlatPolygons, contours, join_polygons
from okulo.apps.footprints.regularize import STATUS, Frame, Regularity, regularize, regularize_flat
from okulo.apps.footprints.segment_kernels import running_sums, scatter
from okulo.apps.footprints.simulate import KINDS, NOISES, RECTILINEAR, disturb, draw, make_building, simulate
from okulo.core.errors import BadInput
from okulo.core.nouns import Polygons
from okulo.metrics.polygons import iou, max_side_angle_error, right_angle_share, vertex_count


def outlined(scene):
    return contours(scene.probability, 0.5, min_area=16.0, min_hole=16.0)


def by_cell(scene, flat: FlatPolygons):
    """The largest polygon of each cell."""
    side = scene.probability.shape[1] // scene.cell
    best = {}
    for k in range(len(flat)):
        rings = flat.polygon(k)
        column, row = (rings[0].mean(axis=0) // scene.cell).astype(int)
        area = shapely.Polygon(rings[0]).area
        if area > best.get(row * side + column, (0, None))[0]:
            best[row * side + column] = (area, rings)
    return [best[k][1] for k in range(len(scene.truth))]


@pytest.mark.parametrize(
    ("noise", "overlap", "exact"), [("none", 0.985, 1.0), ("light", 0.975, 0.97), ("medium", 0.925, 0.93)]
)
def test_known_buildings_are_found_again(noise: str, overlap: float, exact: float) -> None:
    scene = simulate(60, noise=noise, rng=np.random.default_rng(4))
    told = regularize_flat(outlined(scene), Regularity())
    guesses = by_cell(scene, told.outlines)
    assert np.mean([iou(t, g) for t, g in zip(scene.truth.rings, guesses)]) >= overlap
    same = [vertex_count(t) == vertex_count(g) for t, g in zip(scene.truth.rings, guesses)]
    assert np.mean(same) >= exact


@pytest.mark.parametrize("kind", ["courtyard", "cut", "wings", "round"])
def test_each_kind_of_building(kind: str) -> None:
    scene = simulate(12, noise="light", kinds=[kind], rng=np.random.default_rng(2))
    told = regularize_flat(outlined(scene), Regularity())
    for truth, guess in zip(scene.truth.rings, by_cell(scene, told.outlines)):
        assert iou(truth, guess) > 0.94
        if kind == "round":
            assert set(told.names()) == {"circle"}
        else:
            assert vertex_count(guess) == vertex_count(truth)
            assert max_side_angle_error(truth, guess) < 5
        if kind == "courtyard":
            assert len(guess) == 2
            assert right_angle_share(guess) == 1.0


@settings(max_examples=25)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 1000),
    turn=st.floats(0, 2 * np.pi),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    scale=st.floats(0.1, 50),
)
def test_turned_moved_and_scaled_input_gives_turned_moved_and_scaled_output(kind, seed, turn, shift, scale):
    rings = make_building(kind, np.random.default_rng(seed))
    rough = np.random.default_rng(seed)
    fine = [shapely.get_coordinates(shapely.segmentize(shapely.linearrings(r), 1.0))[:-1] for r in rings]
    fine = [ring + rough.normal(0, 0.15, ring.shape) for ring in fine]
    if not all(shapely.Polygon(ring).is_valid for ring in fine):
        return
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.array([[c, -s], [s, c]]) * scale
    moved = [ring @ matrix.T + np.array(shift) for ring in fine]
    one, told = regularize(Polygons((tuple(fine),)))
    other, told_other = regularize(Polygons((tuple(moved),)), unit=scale)
    assert told.names() == told_other.names()
    expected = shapely.Polygon(one.rings[0][0] @ matrix.T + np.array(shift))
    got = shapely.Polygon(other.rings[0][0])
    gap = shapely.hausdorff_distance(expected.exterior, got.exterior) / scale
    # The histogram of directions has bins: turned, the first guess differs, and the cut by at most a point.
    assert gap < 1.5
    assert expected.intersection(got).area / expected.union(got).area > 0.96


@settings(max_examples=25)
@given(kind=st.sampled_from((*RECTILINEAR, "courtyard", "round")), seed=st.integers(0, 1000))
def test_regularizing_twice_changes_nothing(kind, seed) -> None:
    rings = make_building(kind, np.random.default_rng(seed))
    flat = contours(draw([r + 60 for r in rings], (120, 120)), 0.5, min_area=10.0, min_hole=10.0)
    once, told = regularize(flat.nest())
    twice, told_twice = regularize(once)
    for a, b in zip(once.rings, twice.rings, strict=True):
        for one, two in zip(a, b, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)
    assert all(name in ("already regular", "kept") or name in told.names() for name in told_twice.names())


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), noise=st.sampled_from(["medium", "heavy"]))
def test_what_comes_out_is_valid_and_on_its_area(seed: int, noise: str) -> None:
    scene = simulate(4, noise=noise, kinds=KINDS, rng=np.random.default_rng(seed))
    flat = outlined(scene)
    for floor in (0.7, 0.95):
        told = regularize_flat(flat, Regularity(iou_floor=floor))
        for k in range(len(told)):
            before, after = flat.polygon(k), told.outlines.polygon(k)
            shape = shapely.Polygon(after[0], after[1:])
            assert shape.is_valid
            assert shape.exterior.is_ccw  # in these coordinates: positive area
            assert len(after) <= len(before)
            assert iou(before, after) >= floor - 0.02  # the kernel counts on lines one pixel apart


def test_a_floor_that_cannot_be_held_is_said() -> None:
    scene = simulate(4, noise="heavy", rng=np.random.default_rng(3))
    flat = outlined(scene)
    told = regularize_flat(flat, Regularity(iou_floor=0.999))
    assert set(told.names()) == {"kept"}
    np.testing.assert_array_equal(np.sort(told.outlines.points, axis=0), np.sort(flat.points, axis=0))


def test_threads_and_the_first_point_change_nothing() -> None:
    flat = outlined(simulate(9, kinds=KINDS, rng=np.random.default_rng(1)))
    one = regularize_flat(flat, Regularity())
    two = regularize_flat(flat, Regularity(), threads=2)
    np.testing.assert_array_equal(one.outlines.points, two.outlines.points)
    rolled = join_polygons(
        [tuple(np.roll(ring, 17, axis=0) for ring in flat.polygon(k)) for k in range(len(flat))]
    )
    again = regularize_flat(rolled, Regularity())
    np.testing.assert_allclose(one.outlines.points, again.outlines.points, atol=1e-6)


def test_a_building_cut_by_the_pictures_edge_keeps_its_own_direction() -> None:
    ring = np.array([[-40.0, 0], [0, -40], [50, 10], [10, 50]]) + np.array([10, 40])
    seen = draw([ring + 30], (140, 140))[30:, 30:]
    flat = contours(seen, 0.5, min_area=10.0)
    flags = (flat.points < 0.01).any(axis=1)
    told = regularize_flat(flat, Regularity(), flags=flags)
    assert abs(told.angle_deg[0] - 45) < 1
    corners = told.outlines.ring(0)
    assert (np.abs(corners[:, 0]) < 0.3).sum() >= 2, "the cut is a side along the edge"


def test_neighbours_share_directions_when_asked() -> None:
    rng = np.random.default_rng(0)
    picture = np.zeros((312, 312), np.float32)
    for k in range(9):
        row, column = divmod(k, 3)
        rings = make_building("rectangle", rng, turn=0.5)
        cell = disturb(draw([r + 52 for r in rings], (104, 104)), rings[0] + 52, NOISES["medium"], rng)
        picture[row * 104 : row * 104 + 104, column * 104 : column * 104 + 104] = cell
    flat = contours(picture, 0.5, min_area=100.0, min_hole=50.0)
    alone = regularize_flat(flat, Regularity())
    together = regularize_flat(flat, Regularity(), share_directions=300.0)
    truth = np.degrees(0.5)
    assert np.ptp(together.angle_deg) < np.ptp(alone.angle_deg) / 2
    assert np.abs(together.angle_deg - truth).mean() < np.abs(alone.angle_deg - truth).mean()


def test_pixels_that_are_not_square_give_right_angles_in_the_world() -> None:
    rings = make_building("L", np.random.default_rng(6), turn=0.4)
    stretched = [(ring + 60) * [0.5, 1.0] for ring in rings]
    flat = contours(draw(stretched, (130, 70)), 0.5, min_area=10.0)
    matrix = np.diag([np.sqrt(2), 1 / np.sqrt(2)])  # pixels twice as wide as high
    told = regularize_flat(flat, Regularity(), frame=Frame(matrix))
    world = told.outlines.ring(0) * [2.0, 1.0]
    assert right_angle_share([world]) == 1.0
    assert len(world) == 6


def test_a_small_square_house_with_a_porch_is_no_circle() -> None:
    ring = np.array([[0.0, 0], [12, 0], [12, 12], [7, 12], [7, 14], [4, 14], [4, 12], [0, 12]])
    _, told = regularize(Polygons(((ring,),)))
    assert "circle" not in told.names()


def test_long_walls_keep_their_steps() -> None:
    """Beyond some 600 px not every beginning of a side is kept in mind."""
    ring = np.array([[0.0, 0], [2500, 0], [2500, 60], [2400, 60], [2400, 40], [900, 40], [900, 60], [0, 60]])
    seen = disturb(draw([ring + 8], (80, 2520)), ring + 8, NOISES["light"], np.random.default_rng(0))
    told = regularize_flat(contours(seen, 0.5, min_area=100.0), Regularity())
    assert told.names() == ["regular"]
    assert len(told.outlines.points) == len(ring)
    assert iou([ring + 8], told.outlines.polygon(0)) > 0.99


def test_points_cost_their_lean_as_well_as_their_distance() -> None:
    """Round a circle sin² of the angle to any line is a half on average."""
    angle = np.arange(628) * (2 * np.pi / 628)
    points = 100 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    edge = np.zeros(628, np.uint8)
    plain, bent = (np.array(scatter(running_sums(points, edge, bend), 0, 628)) for bend in (0.0, 12.0))
    np.testing.assert_allclose(bent - plain, [12 * 314, 0, 12 * 314], rtol=2e-3, atol=1e-3)


def test_strength_keeps_or_takes_away_steps() -> None:
    ring = np.array([[0.0, 0], [40, 0], [40, 16], [37.5, 16], [37.5, 30], [0, 30]])
    flat = contours(draw([ring + 8], (50, 60)), 0.5)
    assert [len(regularize_flat(flat, Regularity(strength=s)).outlines.points) for s in (0.5, 3.0)] == [6, 4]


def test_bad_polygons_are_named() -> None:
    bow = np.array([[0.0, 0], [10, 10], [10, 0], [0, 14]])
    with pytest.raises(BadInput, match=r"polygon 0: is not valid \(Self-intersection"):
        regularize(Polygons(((bow,),)))
    with pytest.raises(BadInput, match=r"strength: expected a number from 0\.05 to 20"):
        Regularity(strength=0.0)
    with pytest.raises(BadInput, match="unit: expected a length above 0"):
        regularize(Polygons(()), unit=0.0)
    none, told = regularize(Polygons(()))
    assert len(none) == len(told) == 0


def test_every_status_has_a_word_and_a_reason() -> None:
    from okulo.apps.footprints.regularize import REASONS

    assert tuple(REASONS) == STATUS
