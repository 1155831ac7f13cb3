"""The built-in outlines, beside masks drawn by hand."""

import numpy as np
import pytest

from okulo.core.errors import BadInput
from okulo.serve.named import find_postprocess
from okulo.serve.wire import packed, unpack


def test_each_patch_has_its_ring_area_and_label() -> None:
    masks = np.zeros((2, 20, 30), np.float32)
    masks[0, 2:8, 3:13] = 0.9
    masks[0, 12:15, 20:30] = 0.7
    masks[1, 0:20, 0:1] = 1.0
    outlines = find_postprocess("outlines")
    objects = outlines.split({"masks": masks}, 40, 60)
    assert len(objects) == 3
    travelled = [unpack(packed(each)) for each in objects]  # as they do to another process
    results = outlines.predict(travelled)
    said = outlines.join({"masks": masks}, 40, 60, results)
    by_area = sorted(said, key=lambda each: -each["area_px"])
    assert [each["area_px"] for each in by_area] == [240, 120, 80]
    assert [each["label"] for each in by_area] == [0, 0, 1]
    ring = np.array(by_area[0]["ring"])  # pixel centres of the patch's border, in pixels of the picture
    assert ring.min(axis=0).tolist() == [7, 5]
    assert ring.max(axis=0).tolist() == [25, 15]
    assert np.array(by_area[2]["ring"]).max(axis=0).tolist() == [1, 39]


def test_no_patch_and_no_mask() -> None:
    outlines = find_postprocess("outlines")
    assert list(outlines.split({"masks": np.zeros((3, 4, 4), np.float32)}, 4, 4)) == []
    assert list(outlines.predict([])) == []
    with pytest.raises(BadInput, match="an output 'masks'"):
        outlines.split({"probabilities": np.zeros(3, np.float32)}, 4, 4)
