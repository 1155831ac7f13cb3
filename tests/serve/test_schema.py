"""The server keeps to its own OpenAPI schema, whatever is sent."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


# schemathesis' own pytest plugin does not know this pytest; its strategies are plain Hypothesis.
def try_all(url: str, examples: int, seed_fixed: bool) -> int:
    """Send generated requests to every operation; how many operations there were."""
    loaded = schemathesis.openapi.from_url(url + "/openapi.json")
    count = 0
    for found in loaded.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=seed_fixed,
            database=None,
        )
        @given(case=operation.as_strategy())
        def try_one(case: Any) -> None:
            case.call_and_validate(checks=CHECKS)

        try_one()
        count += 1
    return count


def test_answers_keep_to_the_schema(shared: Any) -> None:
    assert try_all(shared.url, 10, True) == 15


@pytest.mark.slow
def test_answers_keep_to_the_schema_at_length(shared: Any) -> None:
    assert try_all(shared.url, 300, False) == 15


def test_the_schema_names_every_path(shared: Any) -> None:
    said = httpx.get(shared.url + "/openapi.json").json()
    assert said["openapi"] == "3.1.0"
    assert len(said["paths"]) == 15
    operations = [
        each["operationId"]
        for path in said["paths"].values()
        for m, each in path.items()
        if m != "parameters"
    ]
    assert len(set(operations)) == len(operations)
