"""Which recipes there are."""

from collections.abc import Callable, Mapping

from okulo.core.protocols import Progress
from okulo.train import classify
from okulo.train.params import ClassifyParams
from okulo.train.report import TrainReport

RECIPES: Mapping[str, Callable[[ClassifyParams, Progress], TrainReport]] = {"classify": classify.run}
