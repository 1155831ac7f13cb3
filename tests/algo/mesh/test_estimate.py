import numpy as np
import pytest

from okulo.algo.mesh.estimate import mixture, noise_level, spikes, taken_off
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.noise import add_noise, vertex_normals
from okulo.algo.mesh.shapes import blob, part, sphere
from okulo.algo.mesh.topology import mean_edge_length, topology
from okulo.core.nouns import Mesh

CLEAN = {
    "star": part(np.random.default_rng(1), 0.05, "star"),
    "plate": part(np.random.default_rng(2), 0.05, "plate"),
    "ring": part(np.random.default_rng(3), 0.05, "ring"),
    "blob": blob(np.random.default_rng(4), 4),
    "rough": blob(np.random.default_rng(5), 4, 0.6),
}


@pytest.mark.parametrize("level", [0.05, 0.2, 0.3])
def test_the_level_of_noise_on_a_smooth_shape_is_the_one_that_was_added(level: float) -> None:
    noisy = add_noise(CLEAN["blob"], "along-normal", level, np.random.default_rng(0))
    assert noise_level(noisy, topology(noisy)) == pytest.approx(level, rel=0.1)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.35])
@pytest.mark.parametrize("shape", ["star", "blob"])
def test_share_and_size_of_sparse_noise_are_those_that_were_added(shape: str, share: float) -> None:
    clean, rng = CLEAN[shape], np.random.default_rng(1)
    hit = rng.random((len(clean.vertices), 1)) < share
    way = rng.normal(0, 0.3 * mean_edge_length(clean), hit.shape) * hit
    noisy = Mesh(clean.vertices + vertex_normals(clean) * way, clean.faces)
    found = taken_off(noisy, clean, topology(noisy))
    assert found.kind == "sparse"
    assert found.share == pytest.approx(float(hit.mean()), rel=0.03)
    assert found.far == pytest.approx(0.3, rel=0.1)
    assert found.rest < 0.01
    assert abs(found.alike) < 0.03


def test_the_likeness_of_stripes_is_that_of_the_noise_itself() -> None:
    clean = CLEAN["plate"]
    noisy = add_noise(clean, "scanner", 0.2, np.random.default_rng(2))
    near = topology(noisy)
    way = np.einsum("ij,ij->i", noisy.vertices - clean.vertices, vertex_normals(clean))
    first, second = near.edges()[:, :2].T
    naive = 2 * sum(way[a] * way[b] for a, b in zip(first, second))
    naive /= sum(way[a] ** 2 + way[b] ** 2 for a, b in zip(first, second))
    assert taken_off(noisy, clean, near).alike == pytest.approx(naive)
    assert 0.25 < naive < 0.5


def test_clean_shapes_have_no_spikes_and_spoiled_ones_have() -> None:
    for name, clean in CLEAN.items():
        assert spikes(clean, topology(clean)) < 0.001, name
        rng = np.random.default_rng(3)
        hit = rng.random((len(clean.vertices), 1)) < 0.02
        way = rng.choice([-0.3, 0.3], (len(clean.vertices), 1)) * hit * mean_edge_length(clean)
        spoiled = Mesh(clean.vertices + vertex_normals(clean) * way, clean.faces)
        # Beside an edge of the shape, or another spike, none is seen.
        assert 0.2 * hit.mean() < spikes(spoiled, topology(spoiled)) <= hit.mean(), name


def test_a_mixture_of_one_is_no_mixture() -> None:
    values = np.random.default_rng(0).normal(0, 0.2, 5000)
    share, far, rest = mixture(values)
    assert far < 1.5 * rest
    assert share * far**2 + (1 - share) * rest**2 == pytest.approx(float((values**2).mean()), rel=1e-3)
    assert mixture(np.zeros(5)) == (0.0, 0.0, 0.0)
    assert mixture(np.empty(0)) == (0.0, 0.0, 0.0)


def test_what_is_taken_has_no_scale_and_no_direction() -> None:
    noisy = add_noise(CLEAN["ring"], "impulsive", 0.2, np.random.default_rng(2))
    near = topology(noisy)
    done = apply(noisy, near, Recipe(method="bilateral"))
    axes, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    axes *= np.sign(np.linalg.det(axes))
    first, second = (
        vars(taken_off(*(Mesh((m.vertices @ turn.T + by) * times, m.faces) for m in (noisy, done)), near))
        for turn, by, times in ((np.eye(3), 0, 1), (axes, 3, 20))
    )
    assert first == pytest.approx(second, rel=1e-6)


def test_an_open_or_tiny_mesh_says_something() -> None:
    triangle = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]]))
    near = topology(triangle)
    assert spikes(triangle, near) == 0.0
    assert taken_off(triangle, triangle, near).size == 0.0
    assert spikes(sphere(1), topology(sphere(1))) == 0.0
