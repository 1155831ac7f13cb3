"""Network and footprints in one process, one picture after another: what a served pipeline is beside."""

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import simplejpeg

from okulo.algo.rings import contours
from okulo.apps.footprints.pipeline import describe, keep_topology, on_edge
from okulo.apps.footprints.raster import Place
from okulo.apps.footprints.regularize import Frame, Regularity, regularize_flat
from okulo.apps.footprints.stage import Footprints
from okulo.apps.footprints.write import geojson_text


def footprints(mask: np.ndarray) -> str:
    """From the probability map to GeoJSON, as `okulo footprints` does it on one thread."""
    flat = contours(mask, 0.5, min_area=10.0, min_hole=10.0)
    told = regularize_flat(flat, Regularity(), flags=on_edge(flat.points, *mask.shape))
    told = keep_topology(flat, told, Regularity(), Frame(), walls=False)
    return geojson_text(describe(told, Place(), 1.0, [None] * len(told)))


def make(model: str, threads: int) -> Callable[[bytes], str]:
    """Give what turns a JPEG into GeoJSON; 0 threads: ONNX Runtime's default, all cores for one run."""
    options = ort.SessionOptions()
    if threads:
        options.intra_op_num_threads = threads
    session = ort.InferenceSession(model, options)

    def work(data: bytes) -> str:
        (masks,) = session.run(["masks"], {"image": simplejpeg.decode_jpeg(data)})
        return footprints(masks[0, 0])

    return work


def stage_parts(mask: np.ndarray) -> dict[str, Callable[[], object]]:
    """What the served stage does with one answer, part by part; each can be called again and again."""
    stage, answer = Footprints(), {"masks": mask[None]}
    pieces = stage.split(answer, *mask.shape)
    results = stage.predict(pieces)
    return {
        "split": lambda: stage.split(answer, *mask.shape),
        "straighten": lambda: stage.predict(pieces),
        "join": lambda: stage.join(answer, *mask.shape, results),
    }
