from collections.abc import Callable

import numpy as np
import pytest
import trimesh

from okulo.algo.mesh import (
    l0_kernels,
    normal_kernels,
    order_kernels,
    smooth_kernels,
    topology_kernels,
)
from okulo.algo.mesh.compiled import ENOUGH, Either
from okulo.algo.mesh.l0 import edge_quads
from okulo.algo.mesh.noise import add_noise, vertex_normals
from okulo.algo.mesh.shapes import blob, part, sphere
from okulo.algo.mesh.smooth import border_vertices
from okulo.algo.mesh.topology import face_shapes, find_defects, mean_edge_length, topology, volume
from okulo.core.nouns import Mesh

SOUP = np.int32([[0, 1, 2], [0, 2, 3], [0, 2, 4], [1, 1, 2], [5, 6, 7], [3, 3, 3]])
"""Two triangles on an edge, a third on the same edge, two without area, one apart."""


def soup() -> Mesh:
    return Mesh(np.random.default_rng(0).normal(size=(9, 3)), SOUP)


@pytest.mark.parametrize("make", [soup, lambda: part(np.random.default_rng(1), 0.15), lambda: sphere(2)])
def test_rings_are_the_faces_that_share_a_vertex(make) -> None:
    mesh = make()
    near = topology(mesh)
    sets = [set(face) for face in mesh.faces.tolist()]
    for i, mine in enumerate(sets):
        ring = near.ring[near.ring_start[i] : near.ring_start[i + 1]].tolist()
        assert len(ring) == len(set(ring))
        assert set(ring) == {j for j, other in enumerate(sets) if j != i and mine & other}


def test_faces_across_edges_agree_with_trimesh() -> None:
    mesh = blob(np.random.default_rng(2), 3)
    wanted = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).face_adjacency
    got = topology(mesh).edges()[:, 2:]
    assert {tuple(sorted(pair)) for pair in got.tolist()} == {tuple(sorted(pair)) for pair in wanted.tolist()}


def test_what_is_unusual_is_counted() -> None:
    found = find_defects(soup(), topology(soup()))
    assert (found.components, found.nonmanifold_edges, found.degenerate_faces) == (2, 1, 2)
    assert found.boundary_edges == 5 + 3  # the edge 1-2 is shared with a face without area
    assert found.unused_vertices == 1


def test_a_hub_makes_no_quadratic_neighbourhood() -> None:
    count = 5000
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    rim = np.column_stack([np.cos(turn), np.sin(turn), np.zeros(count)])
    faces = np.column_stack([np.zeros(count), 1 + np.arange(count), 1 + (np.arange(count) + 1) % count])
    near = topology(Mesh(np.concatenate([[[0.0, 0, 1]], rim]), faces.astype(np.int32)))
    assert len(near.ring) == 2 * count  # only the neighbours over the rim's vertices
    assert (near.across[:, [0, 2]] >= 0).all()


def test_measures_of_a_box() -> None:
    box = trimesh.creation.box((1, 2, 3))
    mesh = Mesh(np.asarray(box.vertices, float), np.asarray(box.faces, np.int32))
    assert volume(mesh) == pytest.approx(6)
    assert volume(Mesh(mesh.vertices + 1e6, mesh.faces)) == pytest.approx(6)
    assert face_shapes(mesh.vertices, mesh.faces).areas.sum() == pytest.approx(22)
    assert mean_edge_length(mesh) == pytest.approx(
        np.linalg.norm(box.vertices[box.faces] - box.vertices[np.roll(box.faces, -1, 1)], axis=2).mean()
    )


def kernel_calls(mesh: Mesh) -> list[tuple[Either, tuple]]:
    """Every kernel that has two forms, with its arguments for a mesh."""
    near = topology(mesh)
    shapes = face_shapes(mesh.vertices, mesh.faces)
    v, f, start, incident = mesh.vertices, mesh.faces, near.start, near.incident
    rings = (near.ring_start, near.ring)
    border = border_vertices(mesh, near)
    quads = edge_quads(near)
    places = l0_kernels.edges_of_vertices(quads, len(v))
    weights = l0_kernels.edge_operator(v, quads, True)
    sharp, even = l0_kernels.bend(v, quads, weights, 0.1, 0.5)
    close = normal_kernels.closeness(shapes.centres, shapes.areas, *rings, 0.1)
    uneven, mean = normal_kernels.patches(shapes.normals, shapes.areas, near.across, *rings)
    n, a = shapes.normals, shapes.areas
    return [
        (topology_kernels.shape_of_faces, (v, f)),
        (topology_kernels.faces_across_edges, (f, start, incident)),
        (topology_kernels.ring_sizes, (f, start, incident, 64)),
        (normal_kernels.closeness, (shapes.centres, a, *rings, 0.1)),
        (normal_kernels.joint_bilateral, (n, n, a, *rings, close, 0.4)),
        (normal_kernels.patches, (n, a, near.across, *rings)),
        (normal_kernels.guidance, (uneven, mean, *rings)),
        (normal_kernels.follow, (v, f, n, start, incident)),
        (normal_kernels.unfold, (v, f, n[::-1].copy(), border, start, incident)),
        (smooth_kernels.laplacian_step, (v, f, near.across, start, incident, border, 0.5, True)),
        (smooth_kernels.bilateral_vertex_step, (v, vertex_normals(mesh), f, start, incident, 0.1, 0.02)),
        (l0_kernels.edge_operator, (v, quads, True)),
        (l0_kernels.edge_operator, (v, quads, False)),
        (l0_kernels.apply_edges, (v, quads, weights)),
        (l0_kernels.gather, (sharp, weights, *places)),
        (l0_kernels.bend, (v, quads, weights, 0.1, 0.5)),
        (l0_kernels.unbend, (v, sharp, even, weights, *places)),
        (l0_kernels.diagonal, (weights, *places, 0.1, 0.5)),
        (order_kernels.curve_keys, (v, v.min(axis=0), 100.0)),
    ]


def noisy_part(step: float) -> Mesh:
    return add_noise(part(np.random.default_rng(3), step), "gaussian", 0.3, np.random.default_rng(0))


def answers(kernel: Callable, arguments: tuple) -> tuple:
    """What a kernel gives, always as a tuple."""
    found = kernel(*arguments)
    return found if isinstance(found, tuple) else (found,)


def test_every_parallel_kernel_gives_what_plain_python_gives() -> None:
    calls = kernel_calls(noisy_part(0.2))
    for kernel, arguments in calls:
        for a, b in zip(answers(kernel.plain, arguments), answers(kernel.parallel, arguments)):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=kernel.__name__)
    modules = (topology_kernels, normal_kernels, smooth_kernels, l0_kernels, order_kernels)
    kernels = {each for module in modules for each in vars(module).values() if isinstance(each, Either)}
    assert kernels - {kernel for kernel, _ in calls} == {topology_kernels.fill_rings}


def test_parallel_kernels_give_what_serial_ones_give_on_meshes_that_need_them() -> None:
    mesh = noisy_part(0.014)
    assert len(mesh) > ENOUGH
    for kernel, arguments in kernel_calls(mesh):
        for a, b in zip(answers(kernel.serial, arguments), answers(kernel.parallel, arguments)):
            np.testing.assert_array_equal(a, b, err_msg=kernel.__name__)


def test_rings_are_filled_the_same_in_parallel() -> None:
    mesh = part(np.random.default_rng(3), 0.08)
    near = topology(mesh)
    ring = np.full_like(near.ring, -1)
    topology_kernels.fill_rings.parallel(mesh.faces, near.start, near.incident, 64, near.ring_start, ring)
    np.testing.assert_array_equal(ring, near.ring)
