import numpy as np
import pytest
import trimesh

from okulo.algo.mesh.measure import normal_errors_deg
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.shapes import blob, part
from okulo.algo.mesh.topology import mean_edge_length, topology
from okulo.apps.mesh.learned import denoise_learned, open_model
from okulo.core.nouns import Mesh


@pytest.mark.parametrize("kind", ["part", "blob"])
@pytest.mark.parametrize("level", [0.1, 0.3])
def test_okulos_own_model_is_ahead_of_filters_on_shapes_of_both_kinds(kind: str, level: float) -> None:
    rng = np.random.default_rng(77)
    clean = part(rng, 0.045, "star") if kind == "part" else blob(rng, 4)
    noisy = add_noise(clean, "along-normal", level, np.random.default_rng(78))
    near = topology(noisy)
    recipes = (
        Recipe(method="bilateral"),
        Recipe(method="bilateral", sigma=0.6, iterations=5, follow=15, passes=6),
        Recipe(method="guided"),
        Recipe(method="taubin", iterations=30),
    )
    filters = min(normal_errors_deg(apply(noisy, near, each), clean).mean() for each in recipes)
    learned = normal_errors_deg(denoise_learned(noisy, near, open_model(None)), clean).mean()
    assert learned < filters


def test_a_cube_too_coarse_to_be_sure_of_stays_nearly_a_cube() -> None:
    box = trimesh.creation.box((1, 1, 1)).subdivide().subdivide().subdivide()
    cube = Mesh(np.asarray(box.vertices, float), np.asarray(box.faces, np.int32))
    for level in (0.0, 0.02):
        noisy = add_noise(cube, "along-normal", level, np.random.default_rng(0))
        done = denoise_learned(noisy, topology(noisy), open_model(None))
        off = np.linalg.norm(done.vertices - cube.vertices, axis=1) / mean_edge_length(cube)
        assert np.quantile(off, 0.95) < 0.01 + level and off.max() < 0.05 + level
        assert normal_errors_deg(done, cube).mean() < 0.2 + 10 * level


def test_a_mesh_of_nothing_but_a_triangle_comes_back() -> None:
    lone = Mesh(np.eye(3), np.int32([[0, 1, 2]]))
    assert denoise_learned(lone, topology(lone), open_model(None)) is lone
