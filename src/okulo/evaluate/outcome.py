"""What `okulo evaluate` found: printed, written as JSON, drawn as a page."""

from dataclasses import dataclass
from pathlib import Path

from okulo.core.model import Threshold
from okulo.core.nouns import Findings
from okulo.evaluate.figures import Effect, Figures
from okulo.metrics.reject import RejectCurve


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What became of the items."""

    items: int
    measured: int
    unreadable: int
    unlabelled: int
    unknown_label: int
    """Items with a label that is not among the model's classes; none of these is in the figures."""
    unknown_refused: int
    """How many of them the threshold refuses."""


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One wrong answer."""

    path: str
    label: str
    best: str
    confidence: float


@dataclass(frozen=True, kw_only=True)
class EvaluateReport:
    """What `okulo evaluate` found; the page is drawn from this."""

    model: Path
    name: str
    items: Path
    data: str
    """Fingerprint of the whole table."""
    split: str
    classes: tuple[str, ...]
    coverage: Coverage
    figures: Figures
    curve: RejectCurve
    threshold: Threshold | None
    at_threshold: Effect | None
    suggested: Effect | None
    """The best trade on this data; None without an error."""
    useful: tuple[Effect, ...]
    """The thresholds that refuse 5, 10, 20, 30 % here."""
    worst: tuple[Wrong, ...]
    findings: Findings
    warnings: tuple[str, ...]
    versions: dict[str, str]
    page: Path
    predictions: Path
