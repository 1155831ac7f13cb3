"""Run folders: written whole, read back exactly, and clear when they do not fit."""

import json
from pathlib import Path

import pytest
import torch
from tests.models import bundle

from okulo.core.errors import BadInput
from okulo.nets.bundle import load_bundle, save_bundle


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    made = bundle()
    save_bundle(tmp_path, made)
    save_bundle(tmp_path, made, weights="last")
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "best.safetensors",
        "last.safetensors",
        "model.json",
    ]
    read = load_bundle(tmp_path)
    assert read.info == made.info
    assert read.architecture == made.architecture
    assert not read.network.training
    for name, value in made.network.state_dict().items():
        assert torch.equal(read.network.state_dict()[name], value)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no model\.json; is this a run folder of `okulo train`\?"):
        load_bundle(tmp_path)


def test_weights_that_are_missing_cut_or_of_another_network(tmp_path: Path) -> None:
    save_bundle(tmp_path, bundle())
    with pytest.raises(BadInput, match=r"last\.safetensors: does not exist"):
        load_bundle(tmp_path, weights="last")
    said = json.loads((tmp_path / "model.json").read_text())
    said["architecture"]["widths"] = [8, 24]
    (tmp_path / "model.json").write_text(json.dumps(said))
    with pytest.raises(BadInput, match=r"does not fit the network: \S+ should be \(24"):
        load_bundle(tmp_path)
    data = (tmp_path / "best.safetensors").read_bytes()
    (tmp_path / "best.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInput, match="cannot be read as safetensors"):
        load_bundle(tmp_path)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    save_bundle(tmp_path, bundle())
    torch.save({"weights": 1}, tmp_path / "best.safetensors")
    with pytest.raises(BadInput, match="cannot be read as safetensors"):
        load_bundle(tmp_path)


def test_model_json_that_says_something_else(tmp_path: Path) -> None:
    save_bundle(tmp_path, bundle())
    (tmp_path / "model.json").write_text("[1]")
    with pytest.raises(BadInput, match="expected architecture and info, got list"):
        load_bundle(tmp_path)
