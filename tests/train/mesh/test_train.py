from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import trimesh

from okulo.algo.mesh.describe import SENSES
from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.shapes import part, sphere
from okulo.algo.mesh.topology import mean_edge_length, topology
from okulo.apps.mesh.learned import denoise_learned, open_model
from okulo.core.errors import BadInput
from okulo.core.nouns import Mesh
from okulo.export.arrays import write_array_network
from okulo.io.meshes import write_mesh
from okulo.nets.mesh.vectors import blend, gaps
from okulo.runtime.arrays import array_info, write_arrays
from okulo.train.mesh.fit import NETWORKS
from okulo.train.mesh.pairs import make_pairs
from okulo.train.mesh.shapes import find_scans, melt, piece, roughen
from okulo.train.mesh.train import MeshTrainParams, run

SMALL = {"pairs": 4, "faces": 300, "steps": 6}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A model file of each network, trained for a few steps when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("models"), dict[str, Path]()

    def find(method: str) -> Path:
        if method not in made:
            made[method] = folder / f"{method}.okulo.onnx"
            report = run(MeshTrainParams(output=made[method], method=method, **SMALL), write_array_network)
            assert report.parity < 1e-3
            assert made[method].stat().st_size == report.bytes
        return made[method]

    return find


def test_weights_of_nothing_are_the_mean() -> None:
    vectors = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    assert blend(vectors, torch.zeros(1, 2))[0].tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0])
    assert blend(vectors, torch.tensor([[0.5, -0.5]]))[0].tolist() == pytest.approx([1, 0, 0])


def test_gaps_are_the_distances_of_all_pairs() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(5, 4, 3, generator=torch.manual_seed(0)), dim=-1)
    apart = torch.stack([torch.pdist(each) for each in vectors])
    torch.testing.assert_close(gaps(vectors), (apart**2 + 1e-3).sqrt())


def test_pairs_are_of_all_kinds_and_repeatable(tmp_path: Path) -> None:
    write_mesh(tmp_path / "scan.ply", sphere(3))
    scans = find_scans(tmp_path)
    first, second = (make_pairs(6, 300, scans, SENSES, 0) for _ in range(2))
    assert {"scan", "blob", "rough"} <= {pair.name for pair in first}
    np.testing.assert_array_equal(first[5].said.normals, second[5].said.normals)
    with pytest.raises(BadInput, match="expected clean meshes"):
        (tmp_path / "empty").mkdir()
        find_scans(tmp_path / "empty")
    with pytest.raises(BadInput, match="no folder"):
        find_scans(tmp_path / "missing")


def test_shapes_are_molten_roughened_and_cut() -> None:
    ball, rng = sphere(3), np.random.default_rng(0)
    rough = roughen(ball, rng)
    heights = np.linalg.norm(rough.vertices, axis=1) - 1
    assert 0.04 < heights.std() / mean_edge_length(ball) < 0.5
    near = topology(ball).edges()[:, :2]
    assert np.corrcoef(heights[near[:, 0]], heights[near[:, 1]])[0, 1] > 0.5  # neighbours go alike
    assert (np.linalg.norm(melt(rough, rng).vertices, axis=1) - 1).std() < heights.std()
    assert len(piece(ball, 100, rng)) == 100


@pytest.mark.parametrize("method", NETWORKS)
def test_every_network_turns_moves_and_grows_with_the_mesh(method: str, model: Callable[[str], Path]) -> None:
    file = open_model(model(method))
    noisy = add_noise(part(np.random.default_rng(1), 0.08), "along-normal", 0.2, np.random.default_rng(0))
    done = denoise_learned(noisy, topology(noisy), file)
    assert np.isfinite(done.vertices).all()
    assert np.abs(done.vertices - noisy.vertices).max() > 0
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    other = Mesh(3.7 * noisy.vertices @ turn + np.array([40.0, -7.0, 3.0]), noisy.faces)
    there = denoise_learned(other, topology(other), file)
    expected = Mesh(3.7 * done.vertices @ turn + np.array([40.0, -7.0, 3.0]), done.faces)
    apart = np.linalg.norm(there.vertices - expected.vertices, axis=1) / mean_edge_length(other)
    assert np.quantile(apart, 0.98) < 0.02  # L0, one of the filters it sees, tips on roundings
    assert np.median(apart) < 1e-3


@pytest.mark.parametrize("method", NETWORKS)
def test_a_clean_cube_stays_a_cube(method: str, model: Callable[[str], Path]) -> None:
    box = trimesh.creation.box((1, 1, 1)).subdivide().subdivide().subdivide().subdivide()
    cube = Mesh(np.asarray(box.vertices, float), np.asarray(box.faces, np.int32))
    done = denoise_learned(cube, topology(cube), open_model(model(method)))
    np.testing.assert_array_equal(done.vertices, cube.vertices)


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"filters": ["noisy", "median 3"], "telling": []}, "a filter not known here: 'median 3'"),
        ({"filters": None}, "does not say which filters it needs"),
        ({"telling": [["noisy", "taubin 7"]]}, "does not have: taubin 7"),
    ],
)
def test_a_model_that_asks_for_unknown_filters_is_refused(
    notes: dict[str, object], said: str, model: Callable[[str], Path], tmp_path: Path
) -> None:
    graph = onnx.load(model("cascade"))
    info = array_info(graph)
    path = tmp_path / "strange.okulo.onnx"
    write_arrays(graph, replace(info, notes={**info.notes, **notes}), path)
    with pytest.raises(BadInput, match=f"strange.okulo.onnx: .*{said}"):
        open_model(path)


def test_the_filters_are_the_model_files_own(model: Callable[[str], Path], tmp_path: Path) -> None:
    graph = onnx.load(model("cascade"))
    info = array_info(graph)
    other = tuple(name.replace("taubin 3", "taubin 4") for name in info.notes["filters"])
    told = [[name.replace("taubin 3", "taubin 4") for name in pair] for pair in info.notes["telling"]]
    path = tmp_path / "other.okulo.onnx"
    write_arrays(graph, replace(info, notes={**info.notes, "filters": other, "telling": told}), path)
    noisy = add_noise(sphere(3), "along-normal", 0.2, np.random.default_rng(0))
    first, second = (
        denoise_learned(noisy, topology(noisy), open_model(each)).vertices
        for each in (model("cascade"), path)
    )
    assert 0 < np.abs(first - second).max() < 0.1


def test_a_wrong_name_for_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"ends in \.onnx"):
        run(MeshTrainParams(output=tmp_path / "model.pt"), write_array_network)
