"""Which recipes there are."""

from collections.abc import Callable, Mapping

from okulo.core.protocols import Progress
from okulo.train import classify, embed
from okulo.train.params import ClassifyParams
from okulo.train.report import EmbedReport, TrainReport

RECIPES: Mapping[str, Callable[[ClassifyParams, Progress], TrainReport | EmbedReport]] = {
    "classify": classify.run,
    "embed": embed.run,
}
