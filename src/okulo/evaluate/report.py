"""The page of an evaluation: one HTML file that needs nothing else, also offline and on paper."""

import base64
import hashlib
from importlib.resources import files
from typing import Any

import cv2
import jinja2
import numpy as np
from jaxtyping import UInt8

from okulo.core.errors import BadInput
from okulo.core.table import Items
from okulo.evaluate import svg
from okulo.evaluate.figures import Effect, recall_intervals
from okulo.evaluate.outcome import EvaluateReport, Wrong
from okulo.evaluate.words import count, num, pct
from okulo.io.images import encode_jpeg, read_image
from okulo.metrics.reject import thin

THUMB_PX = 160
PAGE_POINTS = 200
MOST_CONFUSIONS = 12
LISTED_FINDINGS = 50


def page(report: EvaluateReport, items: Items) -> str:
    """Draw the page; pictures of the gallery are read again and embedded small."""
    script = files("okulo.evaluate").joinpath("report.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("okulo.evaluate", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"pct": pct, "count": count, "num": num}
    return environment.get_template("report.html.j2").render(
        report=report,
        figures=report.figures,
        charts=_charts(report),
        slider=_slider(report),
        shown=report.at_threshold or report.suggested,
        rows=_class_rows(report),
        confusions=_confusions(report),
        calibration=_calibration(report),
        gallery=[(wrong, thumbnail(wrong, items)) for wrong in report.worst],
        findings=report.findings.frame.head(LISTED_FINDINGS).rows(named=True),
        finding_counts=report.findings.counts(),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _charts(report: EvaluateReport) -> dict[str, Any]:
    curve = thin(report.curve, PAGE_POINTS)
    shown: Effect | None = report.at_threshold or report.suggested
    has = report.curve.has
    return {
        "trade": svg.trade_chart(curve, 1 - shown.kept, shown.errors_kept) if has and shown else None,
        "threshold": svg.threshold_chart(curve, shown.threshold) if has and shown else None,
        "reliability": svg.reliability_chart(report.figures.reliability),
        "confusion": svg.confusion_chart(report.figures.confusion, report.classes),
    }


def _slider(report: EvaluateReport) -> dict[str, Any] | None:
    """What the page's script needs to move the threshold: points, and where they lie in the charts."""
    if not report.curve.has:
        return None
    curve = thin(report.curve, PAGE_POINTS)
    left, bottom = svg.place_x(0), svg.place_y(0)
    return {
        "threshold": curve.threshold.round(4).tolist(),
        "kept": curve.kept.round(4).tolist(),
        "errors": curve.errors_kept.round(4).tolist(),
        "risk": curve.risk.round(4).tolist(),
        "left": left,
        "bottom": bottom,
        "wide": svg.place_x(1) - left,
        "high": bottom - svg.place_y(1),
    }


def _class_rows(report: EvaluateReport) -> list[dict[str, Any]]:
    """One row a class that occurs or was answered, the worst recall first; then those that do not occur."""
    by_class, counts = report.figures.per_class, report.figures.confusion
    bounds = recall_intervals(by_class)
    rows = []
    for i, name in enumerate(report.classes):
        taken = counts[i].copy()
        taken[i] = 0
        other = int(taken.argmax())
        rows.append(
            {
                "name": name,
                "support": int(by_class.support[i]),
                "guessed": int(by_class.guessed[i]),
                "recall": float(by_class.recall[i]),
                "low": float(bounds[i, 0]),
                "high": float(bounds[i, 1]),
                "precision": float(by_class.precision[i]),
                "f1": float(by_class.f1[i]),
                "taken": report.classes[other] if taken[other] else "",
                "taken_count": int(taken[other]),
            }
        )
    return sorted(rows, key=lambda row: (np.isnan(row["recall"]), row["recall"], row["name"]))


def _confusions(report: EvaluateReport) -> list[dict[str, Any]]:
    counts = report.figures.confusion.copy()
    rows = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [divmod(int(place), len(counts)) for place in order]
    return [
        {
            "label": report.classes[i],
            "best": report.classes[j],
            "count": int(counts[i, j]),
            "share": counts[i, j] / rows[i],
        }
        for i, j in pairs
        if counts[i, j]
    ]


def _calibration(report: EvaluateReport) -> str:
    """Say in a sentence whether the confidences can be believed."""
    figures = report.figures
    gap = figures.mean_confidence - figures.accuracy.value
    half = (figures.accuracy.high - figures.accuracy.low) / 2
    means = f"On average it claims {pct(figures.mean_confidence)} and is right {pct(figures.accuracy.value)}"
    if abs(gap) <= half:
        return f"{means}: no difference that {count(figures.n)} items could show."
    tendency = "it claims too much" if gap > 0 else "it says too little"
    return f"{means}: {tendency}, by {abs(100 * gap):.1f} points."


def thumbnail(wrong: Wrong, items: Items) -> str | None:
    """A picture as a small JPEG in a data address; None where it has become unreadable."""
    try:
        image = read_image(items.root / wrong.path)
    except BadInput:  # it was readable a moment ago; the page must not fail for it
        return None
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(_small(image), quality=82)).decode()


def _small(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "a b 3"]:
    h, w = image.shape[:2]
    scale = THUMB_PX / max(h, w)
    if scale >= 1:
        return image
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    small: np.ndarray = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small
