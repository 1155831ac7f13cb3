"""A model file's two halves in ONNX Runtime, and nothing else: what a server keeps in memory."""

from pathlib import Path

import numpy as np

from okulo.algo.resize_plain import plain_pixels, probes, scale_table
from okulo.core.errors import BadInput
from okulo.core.model import CANDIDATES, ModelInfo
from okulo.core.protocols import Answer
from okulo.runtime.engines import Session, open_session
from okulo.runtime.graph import INPUT, SEAM, read_model, said_by, split
from okulo.serve.decode import Network
from okulo.serve.plan import Plan

SPIN_US = 200
"""An engine's thread that waits so long for more spares a lone client the waking of it, and costs little."""


class GraphNetwork:
    """Prepares as the file's own graph does, and answers with it.

    The graph is the truth of how a picture is prepared; where numpy gives the same bytes on a probe (always,
    with files of okulo's own), that is used, being several times faster. `runtime.modelfile` is faster still
    on large pictures, with compiled code that costs 100 MB and a second at the start.
    """

    def __init__(self, info: ModelInfo, preprocess: Session, network: Session) -> None:
        self.info = info
        self._window = info.preprocess
        self._network = network
        self._table = scale_table(info.preprocess)
        self._preprocess: Session | None = preprocess
        if all(np.array_equal(_run(preprocess, each), self._plain(each)) for each in probes(self._window)):
            self._preprocess = None

    def prepare(self, image: np.ndarray, /) -> np.ndarray:
        """Make one picture the network's `pixels`, float32 (3, H, W)."""
        return self._plain(image) if self._preprocess is None else _run(self._preprocess, image)

    def answer(self, pixels: np.ndarray, /) -> dict[str, np.ndarray]:
        """Run the network on a batch of `pixels`: its named outputs, batch first."""
        outputs: dict[str, np.ndarray] = self._network.run({SEAM: pixels})
        return outputs

    def finish(self, answer: Answer, height: int, width: int) -> Answer:
        """Make of the network's outputs for one picture its answer: a detector's candidates become boxes."""
        if CANDIDATES[0] not in answer:
            return answer
        from okulo.algo.detect import finish_answer  # compiled code, loaded where a detector is served

        return finish_answer(answer, self.info, height, width)

    def _plain(self, image: np.ndarray) -> np.ndarray:
        return plain_pixels(image, self._window, self._table)


def _run(preprocess: Session, image: np.ndarray) -> np.ndarray:
    pixels: np.ndarray = preprocess.run({INPUT: np.ascontiguousarray(image)})[SEAM][0]
    return pixels


def open_network(path: Path, plan: Plan) -> tuple[ModelInfo, Network]:
    """Open a model file; whatever is wrong with it is BadInput that names it."""
    if plan.engine != "onnxruntime" or plan.compiled:
        from okulo.runtime.modelfile import load  # compares the engine with ONNX Runtime first

        file = load(path, plan.engine, plan.threads, callers=plan.workers)
        return file.info, file
    model = read_model(path)
    preprocess, network = split(model)
    info = said_by(model)
    del model
    spin_us = SPIN_US if plan.threads > 1 else 0
    try:
        return info, GraphNetwork(
            info,
            open_session(preprocess, threads=1),
            open_session(network, threads=plan.threads, spin_us=spin_us),
        )
    except BadInput as error:
        raise BadInput(str(path), str(error)) from error
