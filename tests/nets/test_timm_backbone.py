"""timm's networks, and weights from files."""

import pickle
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from okulo.core.errors import BadInput
from okulo.nets.build import build, describe
from okulo.nets.timm_backbone import data_settings, load_backbone

NAME = "mobilenetv3_small_050"


@pytest.fixture(scope="module")
def source() -> torch.nn.Module:
    return timm.create_model(NAME, num_classes=7)


@pytest.mark.parametrize("name", [NAME, "vit_tiny_patch16_224", "convnext_atto"])
def test_any_timm_name_answers_as_ours(name: str) -> None:
    network = build(describe(name, 3)).eval()
    with torch.no_grad():
        said = network(torch.randn(2, 3, 224 if "vit" in name else 64, 224 if "vit" in name else 64))
    assert said["logits"].shape == (2, 3)
    assert said["embedding"].ndim == 2


def test_weights_of_another_head_fill_the_backbone(tmp_path: Path, source: torch.nn.Module) -> None:
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    torch.save({"state_dict": source.state_dict()}, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        network = build(describe(NAME, 3))
        load_backbone(network, tmp_path / name)
        torch.testing.assert_close(network.backbone.conv_stem.weight, source.conv_stem.weight)


def test_weights_of_other_names_load_by_order(tmp_path: Path, source: torch.nn.Module) -> None:
    own = enumerate(source.state_dict().items())
    other = {f"layer{i:04d}.{name.rpartition('.')[2]}": value for i, (name, value) in own}
    torch.save(other, tmp_path / "w.pth")
    network = build(describe(NAME, 3))
    load_backbone(network, tmp_path / "w.pth")
    torch.testing.assert_close(network.backbone.blocks[0][0].bn1.weight, source.blocks[0][0].bn1.weight)


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "w.pth")
    with pytest.raises(BadInput, match="of which 0 fit; is it the same architecture"):
        load_backbone(build(describe(NAME, 3)), tmp_path / "w.pth")


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("/tmp/okulo-was-here"),))


def test_a_pickle_that_runs_code_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(pickle.dumps(Evil()))
    torch.save({"w": Evil()}, tmp_path / "w2.pth")
    for name in ("w.pth", "w2.pth"):
        with pytest.raises(BadInput, match=name):
            load_backbone(build(describe("vgg-tiny", 3)), tmp_path / name)
    assert not Path("/tmp/okulo-was-here").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"PK\x03\x04 but no more"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_broken_files_are_bad_input(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=str(path)):
        load_backbone(build(describe("vgg-tiny", 3)), path)


def test_a_fixed_size_is_known() -> None:
    said = data_settings("vit_tiny_patch16_224")
    assert said["fixed"] and said["input_size"] == (3, 224, 224)
