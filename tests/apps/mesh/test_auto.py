import numpy as np
import pytest

from okulo.algo.mesh.estimate import noise_level, taken_off
from okulo.algo.mesh.measure import normal_errors_deg
from okulo.algo.mesh.methods import apply
from okulo.algo.mesh.noise import add_noise, vertex_normals
from okulo.algo.mesh.shapes import blob, part, sphere
from okulo.algo.mesh.topology import mean_edge_length, topology
from okulo.apps.mesh.auto import CANDIDATES, KNOWN, choose, open_forecast
from okulo.apps.mesh.learned import denoise_learned, open_model
from okulo.core.nouns import Mesh

MODEL = open_model(None)
SHAPES = {
    "plate": part(np.random.default_rng(21), 0.06, "plate"),
    "blob": blob(np.random.default_rng(22), 4),
    "rough": blob(np.random.default_rng(23), 4, 0.6),
}


CASES = [(shape, kind) for shape in SHAPES for kind in ("along-normal", "gaussian", "impulsive", "scanner")]
QUICK = {("plate", "impulsive"), ("plate", "scanner"), ("blob", "along-normal")}


@pytest.mark.parametrize(
    ("shape", "kind"), [pytest.param(*c, marks=() if c in QUICK else pytest.mark.slow) for c in CASES]
)
def test_auto_is_near_the_best_of_what_it_tries(shape: str, kind: str) -> None:
    clean = SHAPES[shape]
    noisy = add_noise(clean, kind, 0.2, np.random.default_rng(24))
    near = topology(noisy)
    chosen = choose(noisy, near, np.random.default_rng(0), MODEL)
    errors = [
        normal_errors_deg(each, clean).mean()
        for each in (denoise_learned(noisy, near, MODEL), *(apply(noisy, near, r) for r in CANDIDATES))
    ]
    mine = normal_errors_deg(chosen.apply(noisy, near), clean).mean()
    assert mine < 1.3 * min(errors)
    assert mine < 0.6 * np.median([normal_errors_deg(noisy, clean).mean()])
    # What it says it expects is what comes out, within a factor.
    assert 0.5 < dict(chosen.tried)[chosen.name] / mine < 2


@pytest.mark.parametrize("share", [0.1, 0.35])
@pytest.mark.parametrize("shape", ["ring", pytest.param("blob", marks=pytest.mark.slow)])
def test_share_and_size_of_sparse_noise_are_found(shape: str, share: float) -> None:
    clean = {**SHAPES, "ring": part(np.random.default_rng(3), 0.05, "ring")}[shape]
    rng = np.random.default_rng(1)
    way = rng.normal(0, 0.3, (len(clean.vertices), 1)) * (rng.random((len(clean.vertices), 1)) < share)
    noisy = Mesh(clean.vertices + vertex_normals(clean) * way * mean_edge_length(clean), clean.faces)
    near = topology(noisy)
    found = taken_off(noisy, denoise_learned(noisy, near, MODEL), near)
    assert found.kind == "sparse"
    assert found.share == pytest.approx(share, rel=0.25)
    assert found.far == pytest.approx(0.3, rel=0.2)


@pytest.mark.parametrize(
    "shape", ["plate", *(pytest.param(each, marks=pytest.mark.slow) for each in ("blob", "rough"))]
)
def test_noise_of_single_vertices_is_even_and_stripes_are_shared(shape: str) -> None:
    for kind, named in (("along-normal", "even"), ("gaussian", "even"), ("scanner", "shared")):
        noisy = add_noise(SHAPES[shape], kind, 0.2, np.random.default_rng(2))
        near = topology(noisy)
        found = taken_off(noisy, denoise_learned(noisy, near, MODEL), near)
        assert found.kind == named, (kind, found)
        if named == "even":
            assert found.size == pytest.approx(0.2, rel=0.15)


def test_the_same_seed_chooses_the_same() -> None:
    noisy = add_noise(SHAPES["plate"], "impulsive", 0.2, np.random.default_rng(25))
    near = topology(noisy)
    first, second = (choose(noisy, near, np.random.default_rng(0), MODEL) for _ in range(2))
    assert first.tried == second.tried
    np.testing.assert_array_equal(first.apply(noisy, near).vertices, second.apply(noisy, near).vertices)


@pytest.mark.parametrize(
    "shape", ["blob", *(pytest.param(each, marks=pytest.mark.slow) for each in ("ball", "wedge"))]
)
def test_clean_meshes_are_left_alone_but_for_spikes(shape: str) -> None:
    more = {"ball": sphere(4), "wedge": part(np.random.default_rng(26), 0.06, "wedge")}
    clean = {**SHAPES, **more}[shape]
    near = topology(clean)
    chosen = choose(clean, near, np.random.default_rng(0), MODEL)
    assert chosen.name == "none"
    assert chosen.apply(clean, near) is clean
    rng = np.random.default_rng(27)
    hit = rng.random((len(clean.vertices), 1)) < 0.01
    way = rng.choice([-0.3, 0.3], hit.shape) * hit * mean_edge_length(clean)
    spoiled = Mesh(clean.vertices + vertex_normals(clean) * way, clean.faces)
    assert len(choose(spoiled, near, np.random.default_rng(0), MODEL).tried) == len(KNOWN)


@pytest.mark.parametrize("shape", ["plate", pytest.param("rough", marks=pytest.mark.slow)])
def test_a_clean_mesh_that_reads_as_noisy_is_left_alone_too(shape: str) -> None:
    near = topology(SHAPES[shape])
    assert noise_level(SHAPES[shape], near) > 0.02
    chosen = choose(SHAPES[shape], near, np.random.default_rng(0), MODEL)
    assert chosen.name == "none"
    assert chosen.tried[0][1] < 0.3


def test_a_handful_of_faces_is_denoised_sensibly() -> None:
    for clean in (sphere(1), sphere(2), part(np.random.default_rng(2), 0.3)):
        noisy = add_noise(clean, "along-normal", 0.2, np.random.default_rng(1))
        near = topology(noisy)
        chosen = choose(noisy, near, np.random.default_rng(0), MODEL)
        before, after = (normal_errors_deg(m, clean).mean() for m in (noisy, chosen.apply(noisy, near)))
        assert after < 1.1 * before
        assert np.isfinite([error for _, error in chosen.tried]).all()


def test_the_forecast_is_of_these_candidates() -> None:
    assert open_forecast().names == KNOWN
    assert len(set(KNOWN)) == len(KNOWN)
