"""Reading cfg and weights: what does not fit is told apart, and the file answers the same everywhere."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.darknet import random_weights
from tests.detectors import CFG, CLASSES, write_cfg, write_detector

from okulo.core.errors import BadInput
from okulo.core.model import Threshold
from okulo.export.darknet.convert import DarknetParams, class_names, run
from okulo.runtime.modelfile import load, load_whole, read_info, write_info

SIZES = [(48, 64), (90, 41), (33, 200), (1, 1)]


def pictures(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
@pytest.mark.parametrize("overlap", [0.0, 0.45, 1.0])
def test_the_whole_graph_and_the_split_one_say_the_same(tmp_path: Path, fit: str, overlap: float) -> None:
    path = write_detector(tmp_path, fit=fit, overlap=overlap)
    file, whole = load(path), load_whole(path)
    assert file.compiled
    found = 0
    for image, said in zip(pictures(), file.predict(pictures())):
        other = whole.run({"image": image})
        found += len(said["scores"])
        np.testing.assert_allclose(other["scores"][0], said["scores"], atol=1e-6)
        np.testing.assert_array_equal(other["labels"][0], said["labels"])
        np.testing.assert_allclose(other["boxes"][0], said["boxes"], rtol=1e-5, atol=1e-3)
        assert (said["boxes"] >= 0).all() and (said["boxes"][:, 2:] <= image.shape[1::-1]).all()
    assert found > 20


def test_threshold_and_overlap_can_be_changed_in_the_file_and_at_run_time(tmp_path: Path) -> None:
    path, image = write_detector(tmp_path), pictures()[1]
    many = load(path).predict([image])[0]["scores"]
    write_info(path, replace(read_info(path), threshold=Threshold(value=0.6), overlap=1.0))
    few, whole = load(path).predict([image])[0]["scores"], load_whole(path)
    assert len(few) < len(many) and (few > 0.6).all()
    np.testing.assert_allclose(whole.run({"image": image})["scores"][0], few, atol=1e-6)
    given = {"image": image, "threshold": np.float32([0.3]), "overlap": np.float32([0.45])}
    np.testing.assert_allclose(whole.run(given)["scores"][0], many, atol=1e-6)


def test_nothing_found_is_an_empty_answer(tmp_path: Path) -> None:
    path = write_detector(tmp_path, threshold=1.0)
    said = load(path).predict(pictures()[:1])[0]
    assert said["boxes"].shape == (0, 4) and said["scores"].shape == (0,)
    whole = load_whole(path).run({"image": pictures()[0]})
    assert whole["boxes"].shape == (1, 0, 4) and whole["labels"].shape == (1, 0)


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    info = read_info(write_detector(tmp_path))
    assert (info.task, info.classes, info.preprocess.fit) == ("detect", CLASSES, "letterbox")
    assert info.threshold is not None and info.threshold.value == 0.3 and info.overlap == 0.45


@pytest.mark.parametrize("bytes_off", [4, 3, 4000])
def test_a_truncated_file_says_where_it_ends(tmp_path: Path, bytes_off: int) -> None:
    cfg = write_cfg(tmp_path / "a.cfg")
    data = random_weights(cfg, tmp_path / "a.weights").read_bytes()
    (tmp_path / "cut.weights").write_bytes(data[: max(20, len(data) - bytes_off)])
    with pytest.raises(BadInput, match=r"ends in .* of layer \d \(convolutional.* are left"):
        run(params(tmp_path, weights=tmp_path / "cut.weights"))
    assert not (tmp_path / "m.okulo.onnx").exists()


def params(folder: Path, **choices: Path) -> DarknetParams:
    default = {"cfg": folder / "a.cfg", "weights": folder / "a.weights", "output": folder / "m.okulo.onnx"}
    return DarknetParams(**(default | choices))


def test_weights_with_more_numbers_are_of_another_network(tmp_path: Path) -> None:
    cfg = write_cfg(tmp_path / "a.cfg")
    path = random_weights(cfg, tmp_path / "a.weights")
    path.write_bytes(path.read_bytes() + b"\0" * 8)
    with pytest.raises(BadInput, match=r"holds 2 numbers more than the cfg's network has \(392\)"):
        run(params(tmp_path))


def test_variances_below_zero_betray_another_network(tmp_path: Path) -> None:
    cfg = write_cfg(tmp_path / "a.cfg")
    path = random_weights(cfg, tmp_path / "a.weights")
    data = bytearray(path.read_bytes())
    data[20 + 4 * 25 : 24 + 4 * 25] = struct.pack("<f", -3.0)
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"the variances of layer 0 \(convolutional, 3 → 8\) are no variances"):
        run(params(tmp_path))


def test_the_header_of_old_files_is_shorter(tmp_path: Path) -> None:
    cfg, image = write_cfg(tmp_path / "a.cfg"), pictures()[1]
    said = []
    for minor in (1, 2):
        random_weights(cfg, tmp_path / "a.weights", minor=minor)
        run(params(tmp_path))
        said.append(load(tmp_path / "m.okulo.onnx").predict([image])[0]["scores"])
    np.testing.assert_array_equal(*said)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<!DOCTYPE html><html>not found</html>", "this is a web page"),
        (b"version https://git-lfs.github.com/spec/v1 oid", "Git LFS pointer"),
        (b"[net]\nwidth=416\nheight=416\n", "the cfg comes first"),
        (b"\0\0", "expected a header and numbers, got 2 bytes"),
    ],
)
def test_what_is_no_weights_file_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    write_cfg(tmp_path / "a.cfg")
    (tmp_path / "a.weights").write_bytes(data)
    with pytest.raises(BadInput, match=said):
        run(params(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[maxpool]", "[gru]", r"\[gru\] in line 15: this kind of layer is not read; known are avg"),
        ("filters={channels}", "filters=15", r"\[yolo\] in line \d+: expected 16 channels \(2 anchors"),
        ("mask=0,1", "mask=0,7", "mask: expected numbers of 3 anchors"),
        ("size=3", "size=three", "size: expected a whole number, got 'three'"),
        ("activation=leaky", "activation=loggy", "activation: expected one of linear"),
        ("channels=3\n", "channels=1\n", r"channels: expected 3 \(a colour picture\), got 1"),
        ("[net]", "net]", "expected key=value below"),
        ("[net]", "[yolo]", r"expected \[net\] as its first section, got \[yolo\]"),
        ("width=64", "width=0", "width and height: expected 1 to 8192"),
        ("classes={classes}", "classes=0", "classes: expected 1 or more"),
    ],
)
def test_a_cfg_that_cannot_be_read_says_where(tmp_path: Path, old: str, new: str, said: str) -> None:
    random_weights(write_cfg(tmp_path / "a.cfg"), tmp_path / "a.weights")
    write_cfg(tmp_path / "a.cfg", CFG.replace(old, new, 1))
    with pytest.raises(BadInput, match=said):
        run(params(tmp_path))
    assert not (tmp_path / "m.okulo.onnx").exists()


def test_names_of_another_network_are_refused_and_doubles_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_text("a\nb\n")
    with pytest.raises(BadInput, match="expected 3 names, one for each class of the cfg, got 2"):
        class_names(path, 3)
    path.write_text("a\nb\na\n")
    assert class_names(path, 3) == ("a", "b", "a (2)")
