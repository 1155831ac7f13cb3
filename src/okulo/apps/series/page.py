"""The report as one HTML file that needs nothing else, also offline and on paper."""

import base64
import hashlib
from importlib.resources import files
from typing import Any

import jinja2

from okulo.apps.series.drawings import group_chart, look_chart, member_chart
from okulo.apps.series.quality import Look, Try
from okulo.apps.series.told import Shown, Told
from okulo.evaluate.words import count, num, pct


def page(told: Told) -> str:
    """Draw the page."""
    script = files("okulo.apps.series").joinpath("report.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("okulo.apps.series", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"pct": pct, "count": count, "num": num}
    look = read_look(told.report.get("look"))
    return environment.get_template("report.html.j2").render(
        told=told,
        report=told.report,
        grouped=sum(each["size"] for each in told.report["groups"]),
        kept=told.report["series"] - told.report["excluded"],
        groups=[_group(told, each) for each in told.groups],
        look=look,
        look_chart=look_chart(look) if look else None,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _group(told: Told, shown: Shown) -> dict[str, Any]:
    group = shown.group
    return {
        **group,
        "name": shown.name,
        "words": shown.words[:1].upper() + shown.words[1:],
        "chart": group_chart(told.band, shown.typical, shown.extreme, f"group {group['group']}"),
        "members": [(each.id, member_chart(told.band, each)) for each in shown.members],
        "typical": [each.id for each in shown.typical],
        "extreme": [each.id for each in shown.extreme],
    }


def read_look(said: dict[str, Any] | None) -> Look | None:
    """The look at other k, as it was written."""
    if not said:
        return None

    def number(value: float | None) -> float:
        return float("nan") if value is None else float(value)

    tries = tuple(
        Try(int(each["k"]), *(number(each[name]) for name in list(each) if name != "k"))
        for each in said["tries"]
    )
    parts_at = {int(group): int(k) for group, k in said["parts_at"].items()}
    return Look(
        tries=tries,
        silhouette=number(said["silhouette"]),
        silhouette_error=number(said["silhouette_error"]),
        stability=number(said["stability"]),
        elbow=int(said["elbow"]),
        parts_at=parts_at,
    )
