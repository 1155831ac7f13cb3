"""The dashboard asks for figures that the server gives."""

import json
import re
from importlib.resources import files
from typing import Any

import httpx


def test_the_dashboard_and_the_server_know_the_same_names(shared: Any) -> None:
    board = json.loads((files("okulo.serve") / "grafana.json").read_text())
    asked = {
        name
        for panel in board["panels"]
        for each in panel["targets"]
        for name in re.findall(r"okulo_\w+", each["expr"])
    }
    text = httpx.get(shared.url + "/metrics").text
    given = set(re.findall(r"^# TYPE (okulo_\w+)", text, re.MULTILINE))
    assert {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in asked} == {
        re.sub(r"_total$", "", name) for name in given if not name.endswith("_created")
    } - {"okulo_inside_bytes"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
