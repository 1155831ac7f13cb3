from pathlib import Path

import numpy as np
import pytest
import torch

from okulo.algo.mesh.noise import add_noise
from okulo.algo.mesh.shapes import part, sphere
from okulo.algo.mesh.topology import topology
from okulo.apps.mesh.learned import denoise_learned, open_model
from okulo.core.errors import BadInput
from okulo.export.arrays import write_array_network
from okulo.io.meshes import write_mesh
from okulo.nets.mesh.vectors import blend
from okulo.train.mesh.fit import NETWORKS
from okulo.train.mesh.pairs import find_scans, make_pairs
from okulo.train.mesh.train import MeshTrainParams, run


def test_weights_of_nothing_are_the_mean() -> None:
    vectors = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    assert blend(vectors, torch.zeros(1, 2))[0].tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0])
    assert blend(vectors, torch.tensor([[0.5, -0.5]]))[0].tolist() == pytest.approx([1, 0, 0])


def test_pairs_are_of_all_kinds_and_repeatable(tmp_path: Path) -> None:
    write_mesh(tmp_path / "scan.ply", sphere(3))
    scans = find_scans(tmp_path)
    first, second = (make_pairs(6, 400, scans, np.random.default_rng(0)) for _ in range(2))
    assert {"scan", "blob", "rough"} <= {pair.name for pair in first}
    np.testing.assert_array_equal(first[5].mesh.vertices, second[5].mesh.vertices)
    with pytest.raises(BadInput, match="expected clean meshes"):
        (tmp_path / "empty").mkdir()
        find_scans(tmp_path / "empty")
    with pytest.raises(BadInput, match="no folder"):
        find_scans(tmp_path / "missing")


@pytest.mark.parametrize("method", NETWORKS)
def test_every_network_is_trained_written_proven_and_run(method: str, tmp_path: Path) -> None:
    path = tmp_path / "small.okulo.onnx"
    report = run(
        MeshTrainParams(output=path, method=method, pairs=4, faces=300, steps=6), write_array_network
    )
    assert report.parity < 1e-3
    assert path.stat().st_size == report.bytes
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    noisy = add_noise(part(np.random.default_rng(1), 0.08), "along-normal", 0.2, np.random.default_rng(0))
    done = denoise_learned(noisy, topology(noisy), open_model(path))
    assert np.isfinite(done.vertices).all()
    assert np.abs(done.vertices - noisy.vertices).max() > 0


def test_a_wrong_name_for_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"ends in \.onnx"):
        run(MeshTrainParams(output=tmp_path / "model.pt"), write_array_network)
