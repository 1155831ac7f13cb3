"""A network as an ONNX graph: batch norms folded, the batch's size free."""

import warnings

import torch
from jaxtyping import Float
from onnx import ModelProto
from torch import Tensor, nn

from okulo.core.errors import BadInput
from okulo.core.model import CANDIDATES, OUTPUTS
from okulo.nets.answers import answers
from okulo.nets.bundle import Bundle
from okulo.nets.fuse import fuse
from okulo.nets.pool import exportable_pools
from okulo.runtime.graph import SEAM

OPSET = 20
TRACED_BATCH = 2
"""The batch size the graph is traced with; the parity check uses others."""


class _Answering(nn.Module):
    """The network as the model file has it: named outputs in a fixed order."""

    def __init__(self, network: nn.Module, task: str, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.task, self.names = network, task, names

    def forward(self, pixels: Float[Tensor, "n 3 H W"]) -> tuple[Tensor, ...]:
        said = answers(self.network(pixels), self.task)
        return tuple(said[name] for name in self.names)


def network_graph(bundle: Bundle) -> tuple[ModelProto, int]:
    """Export the network from `pixels` on (fp32, any batch size); says how many batch norms were folded."""
    example = torch.rand((TRACED_BATCH, 3, *bundle.info.preprocess.size))
    network = exportable_pools(bundle.network).float().cpu().eval()
    network, folded = fuse(network, example)
    with torch.inference_mode():
        names = tuple(answers(network(example), bundle.info.task))
    wanted = CANDIDATES if bundle.info.task == "detect" else OUTPUTS[bundle.info.task]
    missing = set(wanted) - set(names)
    if missing:
        raise BadInput("network", wanted=f"outputs for {', '.join(sorted(missing))}", got=", ".join(names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's
        program = torch.onnx.export(
            _Answering(network, bundle.info.task, names).eval(),
            (example,),
            input_names=[SEAM],
            output_names=list(names),
            dynamic_shapes=({0: torch.export.Dim("n", min=1, max=65536)},),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    return program.model_proto, folded
