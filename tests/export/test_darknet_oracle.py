"""Converted networks against libdarknet itself, on random weights and on published ones."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from tests.darknet import Darknet, cfg_of, random_weights

from okulo.export.darknet.convert import DarknetParams, run
from okulo.runtime.graph import read_model, split

NETWORKS = {
    "yolov1-tiny": {"width": 448, "height": 448},
    "yolov2-tiny": {"width": 160, "height": 128},
    "yolov2": {"width": 128, "height": 96},
    "yolov3-tiny": {"width": 160, "height": 128},
    "yolov3": {"width": 96, "height": 64},
}
SLOW = {"yolov1": {"width": 448, "height": 448}, "yolov3-spp": {"width": 96, "height": 64}}
every = [(name, 8) for name in NETWORKS]
every += [pytest.param(name, 1, marks=pytest.mark.slow) for name in NETWORKS | SLOW]


@pytest.mark.parametrize(("name", "thin"), every)
def test_candidates_are_darknets(name: str, thin: int, tmp_path: Path) -> None:
    cfg = cfg_of(name, tmp_path, thin, **(NETWORKS | SLOW)[name])
    weights = random_weights(cfg, tmp_path / "w.weights")
    made = tmp_path / "m.okulo.onnx"
    run(DarknetParams(cfg=cfg, weights=weights, output=made, fit="stretch"))
    darknet = Darknet(cfg, weights)
    height, width = darknet.size
    pixels = np.random.default_rng(1).random((3, height, width), np.float32)
    _, network = split(read_model(made))
    session = ort.InferenceSession(network.SerializeToString())
    boxes, scores = session.run(["candidate_boxes", "candidate_scores"], {"pixels": pixels[None]})
    darknet.predict(pixels, 1)
    # With the network's own size as the picture's nothing is put back, and the threshold lets all pass.
    wanted, wanted_scores = darknet.boxes(height, width, -1e6, scores.shape[2])
    darknet.close()
    if name.startswith("yolov1"):  # these it gives in pixels
        wanted = wanted / np.float32([width, height, width, height])
    got = np.concatenate([(boxes[0, :, :2] + boxes[0, :, 2:]) / 2, boxes[0, :, 2:] - boxes[0, :, :2]], axis=1)
    order = darknets_order(name, height, width, len(got))
    assert len(wanted) == len(order)
    assert np.abs(got[order] - wanted).max() / max(1.0, np.abs(wanted).max()) < 1e-5
    assert np.abs(scores[0][order] - wanted_scores).max() < 1e-5


def darknets_order(name: str, height: int, width: int, count: int) -> np.ndarray:
    """Where Darknet's candidates are among ours: v3 lists the three anchors of a cell together."""
    if not name.startswith("yolov3"):
        return np.arange(count)
    order: list[np.ndarray] = []
    start = 0
    for stride in (32, 16, 8):
        cells = (height // stride) * (width // stride)
        if start < count:
            order.append(start + np.arange(3 * cells).reshape(3, cells).T.ravel())
        start += 3 * cells
    return np.concatenate(order)
