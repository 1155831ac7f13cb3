import numpy as np
import pytest

from okulo.algo.mesh import describe as module
from okulo.algo.mesh.describe import SENSES, Senses, chains, describe
from okulo.algo.mesh.feed_kernels import differences, even_faces
from okulo.algo.mesh.feeds import LEAST, put_together
from okulo.algo.mesh.methods import Recipe, apply
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.shapes import blob
from okulo.algo.mesh.topology import face_shapes, topology
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh


@pytest.fixture(scope="module")
def noisy() -> Mesh:
    return add_noise(blob(np.random.default_rng(0), 3), "along-normal", 0.2, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("laplacian 5", Recipe(method="laplacian", iterations=5)),
        ("laplacian 10 restore 7", Recipe(method="laplacian", iterations=10, restore=7)),
        ("taubin 30", Recipe(method="taubin", iterations=30)),
        ("vertices 0.6 2", Recipe(method="bilateral-vertex", sigma=0.6, iterations=2)),
        ("passes 0.6 5 2", Recipe(method="bilateral", sigma=0.6, iterations=5, follow=15, passes=2)),
        (
            "passes 0.6 2 2 restore 5",
            Recipe(method="bilateral", sigma=0.6, iterations=2, follow=15, passes=2, restore=5),
        ),
    ],
)
def test_a_filter_of_vertices_is_the_method_of_that_name(noisy: Mesh, name: str, recipe: Recipe) -> None:
    near = topology(noisy)
    done = apply(noisy, near, recipe)
    wanted = face_shapes(done.vertices, done.faces).normals
    np.testing.assert_allclose(describe(noisy, near, ["noisy", name])[:, 1], wanted, atol=1e-6)


def test_filters_go_on_from_each_other(noisy: Mesh) -> None:
    near = topology(noisy)
    both = describe(
        noisy, near, ["noisy", "bilateral 0.6 7", "bilateral 0.6 3", "guided 0.6 2", "guided 0.6 4"]
    )
    for place, name in enumerate(["bilateral 0.6 7", "bilateral 0.6 3", "guided 0.6 2", "guided 0.6 4"], 1):
        np.testing.assert_allclose(both[:, place], describe(noisy, near, ["noisy", name])[:, 1], atol=1e-6)


def test_one_after_another_is_the_same_as_side_by_side(noisy: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    near = topology(noisy)
    wanted = describe(noisy, near, SENSES.filters)
    monkeypatch.setattr(module, "ENOUGH", 1)
    np.testing.assert_array_equal(describe(noisy, near, SENSES.filters), wanted)


def test_the_second_time_slow_filters_stay_and_no_memory_is_taken(noisy: Mesh) -> None:
    near, names = topology(noisy), ["noisy", "taubin 3", "l0 0.2 2 1"]
    first = describe(noisy, near, names)
    kept = first.copy()
    smooth = apply(noisy, near, Recipe(method="taubin", iterations=10))
    again = describe(smooth, near, names, first)
    assert again is first
    np.testing.assert_array_equal(again[:, 2], kept[:, 2])
    np.testing.assert_allclose(again[:, :2], describe(smooth, near, names[:2]), atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "median 3",
        "",
        "taubin",
        "taubin x",
        "bilateral 5",
        "taubin 3 restore",
        "l0 0.2 1 1",
        "laplacian 99999",
    ],
)
def test_a_filter_that_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=f"not known here: '{name}'"):
        chains(["noisy", name])


def test_senses_come_back_from_a_model_files_notes() -> None:
    assert Senses.from_notes(vars(SENSES)) == SENSES
    with pytest.raises(BadInput, match="does not say which filters"):
        Senses.from_notes({"filters": ["noisy"]})
    with pytest.raises(BadInput, match="does not have: taubin 3"):
        Senses(("noisy", "taubin 4"), (("noisy", "taubin 3"),), (4,))


def test_differences_and_their_averages_against_plain_loops(noisy: Mesh) -> None:
    near, senses = topology(noisy), Senses(("noisy", "taubin 3"), (("noisy", "taubin 3"),), (1, 3))
    normals = describe(noisy, near, senses.filters)
    apart = differences(normals, np.array([0]), np.array([1]))
    np.testing.assert_allclose(apart[:, 0], ((normals[:, 0] - normals[:, 1]) ** 2).sum(1), rtol=1e-5)
    expected = apart.astype(np.float64)
    for _ in range(3):
        expected = np.array(
            [expected[[i, *(j for j in near.across[i] if j >= 0)]].mean(axis=0) for i in range(len(expected))]
        )
    np.testing.assert_allclose(even_faces(apart, near.across, 3), expected, rtol=1e-5)
    said = put_together(noisy, near, normals, senses, 0.2)
    np.testing.assert_allclose(said.context[:, 1], np.sqrt(expected[:, 0] + LEAST), rtol=1e-4)
    np.testing.assert_allclose(said.surface, [0.8, np.sqrt(apart.mean() + LEAST)], rtol=1e-5)
