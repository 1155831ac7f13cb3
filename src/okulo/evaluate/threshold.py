"""`okulo threshold`: choose below which confidence a model answers "I don't know"."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64

from okulo.core.errors import BadInput
from okulo.core.model import ModelInfo, Threshold
from okulo.core.nouns import Findings
from okulo.core.params import Params, param
from okulo.core.protocols import Answer, Image, Predictor, Progress, silent
from okulo.evaluate.answers import ask, check_classifier
from okulo.evaluate.figures import Effect, effect, repeats_for
from okulo.evaluate.measure import labelled
from okulo.evaluate.rules import (
    best_trade,
    error_rate_at_most,
    error_rate_surely_at_most,
    refuse_share,
    threshold_at,
)
from okulo.evaluate.source import ALL, leaks, pick, read_source
from okulo.evaluate.words import count, pct
from okulo.metrics.intervals import bootstrap
from okulo.metrics.reject import RejectCurve, reject_curve

RULES = ("trade", "error-rate", "refuse")
FEW_ERRORS = 30


@dataclass(frozen=True, kw_only=True)
class ThresholdParams(Params):
    """Choose below which confidence the answer is "I don't know", and write it into the model.

    Rules: `trade` removes the most errors per answer given up (labels needed); `error-rate` keeps as many
    answers as it can with at most `--target` of them wrong (labels needed); `refuse` refuses the share
    `--target` of the pictures (no labels needed: for pictures from where the model will work).
    """

    model: Path = param(help="model file, or run folder of `okulo train`", positional=True)
    items: Path = param(help="table (Parquet), or for rule refuse also a folder of pictures", positional=True)
    rule: str = param("trade", help="trade, error-rate or refuse", choices=RULES)
    target: float | None = param(
        None, help="share, 0 to 1: of errors among the answers, or of refusals", low=0, high=1
    )
    sure: float | None = param(
        None,
        help="rule error-rate: how certain the target must be for new data, e.g. 0.95",
        low=0.5,
        high=0.999,
    )
    split: str | None = param(
        None,
        help="train, val, test or all; by default val, else test, else all",
        choices=("train", "val", "test", ALL),
    )
    dry_run: bool = param(False, help="show only, change nothing")
    plot: Path | None = param(None, help="PNG of the curve, with the threshold")
    engine: str = param("onnxruntime", help="what runs a model file: onnxruntime, openvino, openvino-bf16")
    batch_size: int = param(64, help="pictures a batch", low=1)
    threads: int | None = param(None, help="threads that decode pictures; by default one a core", low=1)
    seed: int = param(0, help="of the bootstrap's resamples", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule == "trade" and self.target is not None:
            raise BadInput(
                "target", "rule trade needs none", hint="did you mean --rule refuse or error-rate?"
            )
        if self.rule != "trade" and (self.target is None or not 0 < self.target < 1):
            raise BadInput(
                f"rule {self.rule}", wanted="--target between 0 and 1, as 0.2", got=self.target or "none"
            )
        if self.sure is not None and self.rule != "error-rate":
            raise BadInput("sure", "belongs to --rule error-rate")


@dataclass(frozen=True, kw_only=True)
class ThresholdReport:
    """The threshold chosen, and what it does on the data it was chosen on."""

    model: Path
    items: Path
    split: str
    threshold: Threshold
    interval: tuple[float, float] | None
    """Rule trade: where the threshold lies in 95 % of bootstrap resamples."""
    answering_all: Effect
    previous: Effect | None
    """What the threshold did that stood in the model; None where there was none."""
    chosen: Effect
    findings: Findings
    warnings: tuple[str, ...]
    written: bool


@dataclass(frozen=True)
class _Seen:
    """Confidences, and whether each is right (all true where labels are not used)."""

    confidence: Float32[np.ndarray, " n"]
    right: Bool[np.ndarray, " n"]
    has_labels: bool
    findings: Findings
    warnings: list[str]


def run(
    params: ThresholdParams,
    predictor: Predictor[Image, Answer],
    info: ModelInfo,
    progress: Progress = silent,
) -> ThresholdReport:
    """Choose; writing it into the model is the caller's (`written` is False here)."""
    check_classifier(info)
    items = read_source(params.items)
    part, split = pick(items, params.split, ("val", "test"))
    if params.rule != "refuse" and "label" not in part.frame.columns:
        raise BadInput(
            "table", f"has no labels, rule {params.rule} needs them", hint="rule refuse needs none"
        )
    answers = ask(predictor, part, info, progress, batch_size=params.batch_size, threads=params.threads)
    truth = labelled(part, answers, info)
    seen = _see(params.rule, truth, answers.best, answers.confidence, answers.findings)
    curve = reject_curve(seen.confidence, seen.right)
    value = threshold_at(curve, _row(params, curve))
    done = effect(curve, value, has_labels=seen.has_labels)
    if params.plot:
        from okulo.evaluate.plot import plot_curve  # here: it needs matplotlib

        plot_curve(params.plot, curve, done)
    where = f"split {split} of {params.items.name}" if split != ALL else params.items.name
    interval = _interval(seen, params.seed) if params.rule == "trade" else None
    return ThresholdReport(
        model=params.model,
        items=params.items,
        split=split,
        threshold=Threshold(
            value=value, how=_how(params, done, where), kept=done.kept, errors_kept=done.errors_kept
        ),
        interval=interval,
        answering_all=effect(curve, 0.0, has_labels=seen.has_labels),
        previous=effect(curve, info.threshold.value, has_labels=seen.has_labels) if info.threshold else None,
        chosen=done,
        findings=seen.findings,
        warnings=(*seen.warnings, *leaks(items, split), *_doubts(params, done, split)),
        written=False,
    )


def _see(
    rule: str,
    truth: Int64[np.ndarray, " n"],
    best: Int64[np.ndarray, " n"],
    confidence: Float32[np.ndarray, " n"],
    findings: Findings,
) -> _Seen:
    """Which answers are used: with labels for the rules that need them, all of them for a refused share."""
    known = truth >= 0
    said: list[str] = []
    if rule == "refuse":
        has = bool(known.all())
        return _Seen(confidence, best == truth if has else np.ones(len(best), bool), has, findings, said)
    if not known.any():
        raise BadInput(
            "labels", wanted="some that the model knows", got="none", hint="rule refuse needs no labels"
        )
    if not known.all():
        said.append(f"{int((~known).sum()):,} items without a label the model knows were left out.")
    return _Seen(confidence[known], (best == truth)[known], True, findings, said)


def _row(params: ThresholdParams, curve: RejectCurve) -> int:
    if params.rule == "trade":
        return best_trade(curve)
    assert params.target is not None  # __post_init__ saw to it
    if params.rule == "refuse":
        return refuse_share(curve, params.target)
    if params.sure is not None:
        return error_rate_surely_at_most(curve, params.target, params.sure)
    return error_rate_at_most(curve, params.target)


def _interval(seen: _Seen, seed: int) -> tuple[float, float]:
    def one(rows: Int64[np.ndarray, " n"]) -> float:
        curve = reject_curve(seen.confidence[rows], seen.right[rows])
        return threshold_at(curve, best_trade(curve)) if curve.has else float("nan")

    n = len(seen.right)
    return bootstrap(one, n, rng=np.random.default_rng(seed), repeats=repeats_for(n))


def _how(params: ThresholdParams, done: Effect, where: str) -> str:
    refused = f"{pct(1 - done.kept)} of {count(done.items)} pictures refused"
    if params.rule == "trade":
        rule = "best trade of errors removed for answers given up"
    elif params.rule == "refuse":
        rule = f"to refuse {pct(params.target)} of the pictures"
    else:
        rule = f"at most {pct(params.target)} of the answers wrong"
        rule += f", with {pct(params.sure)} certainty" if params.sure is not None else ""
    removed = "" if done.errors_kept is None else f", and {pct(1 - done.errors_kept)} of the errors with them"
    return f"{rule}, on {where}: {refused}{removed}"


def _doubts(params: ThresholdParams, done: Effect, split: str) -> list[str]:
    said = []
    if split == "test":
        said.append("Chosen on the test split: figures of `okulo evaluate` on it will flatter a little.")
    if params.rule == "trade" and done.all_errors is not None and done.all_errors < FEW_ERRORS:
        said.append(
            f"Only {done.all_errors} errors to choose by: the threshold is uncertain, see its interval."
        )
    if params.target is not None and params.rule == "refuse" and abs(1 - done.kept - params.target) > 0.02:
        said.append(
            f"Many pictures have the same confidence: the nearest share that can be refused is "
            f"{pct(1 - done.kept)}, not {pct(params.target)}."
        )
    if (
        params.rule == "error-rate"
        and params.sure is None
        and done.errors is not None
        and done.errors < FEW_ERRORS
    ):
        said.append(
            f"Only {done.errors} errors are left among the answers: new data may hold more than the target; "
            "--sure 0.95 guards against it."
        )
    if done.threshold == 0 and params.rule != "refuse":
        said.append("No threshold is needed for this: it is 0, and every picture is answered.")
    return said
