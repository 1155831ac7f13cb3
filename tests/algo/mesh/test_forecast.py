import numpy as np

from okulo.algo.mesh.forecast import fit_forecast
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.shapes import part
from okulo.algo.mesh.topology import topology
from okulo.algo.mesh.traces import apart, traces
from okulo.core.nouns import Mesh


def test_a_forecast_learns_which_is_better() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(200, 6))
    truth = np.exp(np.column_stack([seen[:, 0], -seen[:, 0], 0.5 * seen[:, 1] ** 2]))
    forecast = fit_forecast(["a", "b", "c"], seen[:150], truth[:150])
    said = np.stack([forecast.errors_deg(each) for each in seen[150:]])
    kept = truth[150:]
    chosen = kept[np.arange(50), said.argmin(axis=1)]
    assert (chosen / kept.min(axis=1)).mean() < 1.15
    assert (kept[:, 0] / kept.min(axis=1)).mean() > 1.5


def test_far_from_all_it_saw_a_forecast_is_not_wild() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(50, 4))
    forecast = fit_forecast(["a"], seen, np.exp(seen[:, :1]))
    far, further = (float(forecast.errors_deg(np.full(4, by))[0]) for by in (1e3, 1e9))
    assert far == further
    assert 0.01 <= far <= 180


def test_traces_do_not_see_scale_place_or_direction() -> None:
    noisy = add_noise(part(np.random.default_rng(7), 0.1), "along-normal", 0.2, np.random.default_rng(1))
    near = topology(noisy)
    made = [noisy, *(apply(noisy, near, Recipe(method="taubin", iterations=n)) for n in (3, 10))]
    axes, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    axes *= np.sign(np.linalg.det(axes))
    turned = [Mesh((each.vertices @ axes.T + 3) * 20, each.faces) for each in made]
    first, second = (traces(each[0], near, each) for each in (made, turned))
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert np.isfinite(first).all()


def test_how_far_answers_are_apart_is_the_root_of_the_mean_square() -> None:
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(3, 40, 3))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    naive = [
        np.log(np.degrees(np.sqrt(((normals[a] - normals[b]) ** 2).sum(axis=1).mean())) + 0.05)
        for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    np.testing.assert_allclose(apart(normals), naive)


def test_a_mesh_of_one_face_has_traces() -> None:
    triangle = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.int32([[0, 1, 2]]))
    assert np.isfinite(traces(triangle, topology(triangle), [triangle, triangle])).all()
