"""A server that takes jobs keeps to its OpenAPI schema too, whatever is sent."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serve.test_schema import try_all


@pytest.mark.slow
def test_answers_keep_to_the_schema(start: Any, colours: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    server = start(colours, "--jobs", tmp_path / "jobs.db", "--jobs-root", root, "--jobs-workers", 0)
    assert try_all(server.url, 40, True) == 21
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def test_the_schema_names_the_jobs(start: Any, colours: Path, tmp_path: Path) -> None:
    server = start(colours, "--jobs", tmp_path / "jobs.db", "--jobs-workers", 0)
    said = httpx.get(server.url + "/openapi.json").json()
    assert {path for path in said["paths"] if path.startswith("/jobs")} == {
        "/jobs", "/jobs/{id}", "/jobs/{id}/results", "/jobs/{id}/cancel",
    }  # fmt: skip
    body = said["paths"]["/jobs"]["post"]["requestBody"]["content"]
    assert set(body) == {"multipart/form-data", "application/json"}
    assert server.stop() == 0
