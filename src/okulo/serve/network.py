"""A model file's two halves in ONNX Runtime, and nothing else: what a server keeps in memory."""

from pathlib import Path

import numpy as np

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo
from okulo.runtime.engines import Session, open_session
from okulo.runtime.graph import INPUT, SEAM, read_model, said_by, split
from okulo.serve.decode import Network
from okulo.serve.plan import Plan


class GraphNetwork:
    """Prepares and answers with the file's own graph.

    `runtime.modelfile` prepares large pictures faster, with compiled code that costs 100 MB and a second at
    the start; a server that must be up at once does without.
    """

    def __init__(self, preprocess: Session, network: Session) -> None:
        self._preprocess = preprocess
        self._network = network

    def prepare(self, image: np.ndarray, /) -> np.ndarray:
        """Make one picture the network's `pixels`, float32 (3, H, W)."""
        pixels: np.ndarray = self._preprocess.run({INPUT: np.ascontiguousarray(image)})[SEAM][0]
        return pixels

    def answer(self, pixels: np.ndarray, /) -> dict[str, np.ndarray]:
        """Run the network on a batch of `pixels`: its named outputs, batch first."""
        outputs: dict[str, np.ndarray] = self._network.run({SEAM: pixels})
        return outputs


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
    try:
        return info, GraphNetwork(
            open_session(preprocess, threads=1), open_session(network, threads=plan.threads)
        )
    except BadInput as error:
        raise BadInput(str(path), str(error)) from error
