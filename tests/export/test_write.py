"""Exporting: the file answers as PyTorch does, or is not there."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from jaxtyping import Float
from tests.models import bundle, info
from tests.predictors import pictures
from torch import Tensor, nn

from okulo.core.errors import BadInput
from okulo.export import parity as parity_module
from okulo.export.parity import BATCHES, TOLERANCE
from okulo.export.write import generated_pictures, write
from okulo.nets.bundle import Bundle
from okulo.nets.predictor import TorchPredictor
from okulo.runtime.graph import INPUT
from okulo.runtime.modelfile import load, load_whole, read_info


@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_the_file_answers_as_pytorch(tmp_path: Path, fit: str) -> None:
    made, path = bundle(fit=fit), tmp_path / "m.onnx"
    parity = write(made, path, pictures(6), "six pictures")
    assert parity.on == "six pictures"
    assert parity.worst <= 1e-5
    assert {case.batch for case in parity.cases} == {*BATCHES, 0}
    assert len({case.size for case in parity.cases}) == 3
    images = pictures(4, seed=9)
    wanted, got = TorchPredictor(made).predict(images), load(path).predict(images)
    whole = load_whole(path)
    for image, one, other in zip(images, wanted, got):
        for name, value in one.items():
            np.testing.assert_allclose(value, other[name], atol=TOLERANCE)
            np.testing.assert_allclose(value, whole.run({INPUT: image})[name][0], atol=TOLERANCE)


def test_the_file_is_one_sound_file_that_says_what_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.onnx"
    write(bundle(), path)
    assert list(tmp_path.iterdir()) == [path]
    assert capfd.readouterr() == ("", "")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert next(each.version for each in model.opset_import if each.domain == "") >= 18
    assert {node.domain for node in model.graph.node} == {""}
    assert not any(node.op_type in ("BatchNormalization", "Resize") for node in model.graph.node)
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert kinds <= {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64}
    said = read_info(path)
    assert said.classes == info().classes
    assert said.threshold == info().threshold
    assert said.notes["parity"]["on"] == "generated noise and gradients"
    assert {"okulo", "torch", "onnx", "exported"} <= said.versions.keys()


def test_an_embedder_has_only_its_embedding(tmp_path: Path) -> None:
    made = bundle("embed")
    write(made, tmp_path / "e.onnx", pictures(4))
    model = onnx.load(tmp_path / "e.onnx")
    assert [output.name for output in model.graph.output] == ["embedding"]


class Pooled(nn.Module):
    """Adaptive pools of odd sizes, maxima and averages, between convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveMaxPool2d((7, 5)))
        self.then = nn.Sequential(nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten())
        self.head = nn.Linear(48, 3)

    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> dict[str, Tensor]:
        embedding = self.then(self.first(pixels))
        return {"logits": self.head(embedding), "embedding": embedding}


def test_adaptive_pools_and_odd_sizes_export(tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = Bundle(Pooled().eval(), {}, info(size=(37, 23)))
    assert write(made, tmp_path / "p.onnx").worst <= 1e-5


class Batchy(nn.Module):
    """Answers depending on what else is in the batch: no graph may pass with that."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)

    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> dict[str, Tensor]:
        embedding = pixels.mean((2, 3))
        return {"logits": 9 * self.head(embedding - embedding.mean(0)), "embedding": embedding}


def test_a_network_that_mixes_its_batch_is_found_out_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    with pytest.raises(BadInput, match=r"parity: .*batch of 3; `pixels` agree, so it is the network"):
        write(Bundle(Batchy().eval(), {}, info()), path, pictures(6))
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_other_preprocessing_is_found_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bundle()
    off = Bundle(made.network, made.architecture, info(fit="crop"))
    real = parity_module.TorchPredictor
    monkeypatch.setattr(parity_module, "TorchPredictor", lambda bundle: real(off))
    with pytest.raises(BadInput, match=r"pictures as they are, batch of 3; pre-processing differs first"):
        write(made, tmp_path / "m.onnx", pictures(6))
    assert list(tmp_path.iterdir()) == []


def test_a_network_without_the_outputs_of_its_task(tmp_path: Path) -> None:
    made = Bundle(nn.Sequential(Answering()), {}, info())
    with pytest.raises(BadInput, match="network: expected outputs for probabilities, got embedding"):
        write(made, tmp_path / "m.onnx")


class Answering(nn.Module):
    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> dict[str, Tensor]:
        return {"embedding": pixels.mean((2, 3))}


def test_generated_pictures_differ_and_repeat() -> None:
    one, again = generated_pictures((20, 30)), generated_pictures((20, 30))
    assert len(one) == 8
    assert all((a == b).all() for a, b in zip(one, again))
    assert len({image.tobytes() for image in one}) == 8
    assert all(image.std() > 5 for image in one)
