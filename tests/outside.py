"""Programs from outside that some tests drive (Chromium, npm, PostgreSQL, Ray)."""

import os
from typing import NoReturn

import pytest


def missing(what: str, hint: str) -> NoReturn:
    """Skip a test whose outside program a machine lacks; in CI, which installs it, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing: {hint}")
    pytest.skip(f"{what} is not installed here: {hint}")
