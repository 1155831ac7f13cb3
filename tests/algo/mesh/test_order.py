import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from okulo.algo.mesh.methods import Recipe, apply, denoise
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.order import CELLS, curve_order, put_in_order
from okulo.algo.mesh.order_kernels import radix_order
from okulo.algo.mesh.shapes import blob, part
from okulo.algo.mesh.topology import topology
from okulo.core.nouns import Mesh


def shuffled(mesh: Mesh) -> tuple[Mesh, np.ndarray]:
    """The same surface, vertices and faces in any order, and where each vertex went."""
    rng = np.random.default_rng(1)
    places = rng.permutation(len(mesh.vertices)).astype(np.int32)
    vertices = np.empty_like(mesh.vertices)
    vertices[places] = mesh.vertices
    return Mesh(vertices, places[mesh.faces][rng.permutation(len(mesh.faces))]), places


@given(arrays(np.int64, st.integers(0, 60), elements=st.integers(0, CELLS**3 - 1)))
def test_whole_numbers_are_sorted_as_numpy_sorts_them(keys: np.ndarray) -> None:
    np.testing.assert_array_equal(radix_order(keys, CELLS**3), np.argsort(keys, kind="stable"))


def test_the_curve_goes_through_the_smallest_cells_first() -> None:
    x, y, z = (each.reshape(-1) for each in np.mgrid[0:8, 0:8, 0:8])
    points = np.column_stack([x, y, z]).astype(float)
    order = curve_order(points)
    for size in (2, 4):  # every run of size³ points fills one box of that size
        boxes = (points[order] // size).reshape(-1, size**3, 3)
        assert (boxes == boxes[:, :1]).all()


def test_an_ordered_mesh_is_the_same_surface() -> None:
    mesh, _ = shuffled(part(np.random.default_rng(3), 0.1))
    ordered = put_in_order(mesh, near=0)
    np.testing.assert_array_equal(ordered.mesh.vertices[ordered.which], mesh.vertices)
    faces = sorted(map(tuple, ordered.which[mesh.faces].tolist()))
    assert sorted(map(tuple, ordered.mesh.faces.tolist())) == faces
    assert (np.diff(ordered.mesh.faces.min(axis=1)) >= 0).all()
    steps = [np.abs(np.diff(each.faces, axis=1)).mean() for each in (mesh, ordered.mesh)]
    assert steps[1] < 0.2 * steps[0]


@pytest.mark.parametrize("method", ["bilateral", "guided", "taubin"])
def test_the_order_in_a_file_changes_no_answer(method: str) -> None:
    noisy = add_noise(blob(np.random.default_rng(2), 3), "along-normal", 0.2, np.random.default_rng(0))
    mixed, places = shuffled(noisy)
    recipe = Recipe(method=method)
    ordered = put_in_order(mixed, near=0)
    done = ordered.back(apply(ordered.mesh, topology(ordered.mesh), recipe), mixed)
    assert done.faces is mixed.faces
    wanted = apply(noisy, topology(noisy), recipe).vertices
    np.testing.assert_allclose(done.vertices[places], wanted, atol=1e-6)
    np.testing.assert_allclose(denoise(mixed, recipe).vertices[places], wanted, atol=1e-6)


def test_only_a_mesh_whose_neighbours_are_far_apart_is_put_in_order() -> None:
    rows = blob(np.random.default_rng(2), 6)
    mixed, _ = shuffled(rows)
    assert put_in_order(mixed).mesh is not mixed
    again = put_in_order(put_in_order(mixed).mesh)
    np.testing.assert_array_equal(again.which, np.arange(len(rows.vertices)))


def test_empty_and_flat_meshes_can_be_ordered() -> None:
    nothing = Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    assert len(put_in_order(nothing, near=-1).mesh) == 0
    same = Mesh(np.ones((3, 3)), np.int32([[0, 1, 2]]))
    assert put_in_order(same, near=0).which.tolist() == [0, 1, 2]
