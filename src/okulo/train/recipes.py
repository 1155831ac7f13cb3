"""Which recipes there are."""

from collections.abc import Callable, Mapping

from okulo.core.protocols import Progress
from okulo.train import classify, detect, embed
from okulo.train.params import ClassifyParams
from okulo.train.report import DetectReport, EmbedReport, TrainReport
from okulo.train.runfolder import read_config

RECIPES: Mapping[str, Callable[[ClassifyParams, Progress], TrainReport | EmbedReport | DetectReport]] = {
    "classify": classify.run,
    "embed": embed.run,
    "detect": detect.run,
}


def run(params: ClassifyParams, progress: Progress) -> TrainReport | EmbedReport | DetectReport:
    """Run the recipe that is asked for; a run that goes on has its own."""
    recipe = read_config(params.output, params)[0].recipe if params.resume else params.recipe
    return RECIPES[recipe](params, progress)
