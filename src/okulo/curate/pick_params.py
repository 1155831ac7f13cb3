"""Parameters of `okulo pick`."""

from dataclasses import dataclass
from pathlib import Path

from okulo.core.params import Params, param
from okulo.curate.pick_scores import UNCERTAINTY

METHODS = ("combined", *UNCERTAINTY, "k-center", "error-rate", "random")


@dataclass(frozen=True, kw_only=True)
class PickParams(Params):
    """Choose the pictures to label next: those a model is unsure of, unlike each other and what is labelled.

    Uncertainty comes from the column `probabilities`, or from a probe fitted to the labels there are on
    `embedding`. Of near-duplicates (`group`) at most one is chosen, and none whose copy is labelled.
    """

    items: Path = param(help="table of items", positional=True)
    number: int = param(100, help="how many to choose", short="n", low=1)
    output: Path = param(Path("pick.parquet"), help="table of the chosen items, best first", short="o")
    method: str = param("combined", help="how to choose", choices=METHODS)
    balance: bool = param(False, help="choose so that all classes get equally many labels")
    pool: str = param("", help="choose among these rows, an SQL condition (default: those without a label)")
    for_class: str = param(
        "", help="choose items to look for this class, among those nobody looked at for it"
    )
    embedding: str = param("embedding", help="column of the vectors")
    source: str = param(
        "auto", help="whose uncertainty: column probabilities, or a probe", choices=("auto", "given", "probe")
    )
    seed: int = param(0, help="of random choices", low=0)
