"""Programs and libraries from outside that some tests need (Chromium, PostgreSQL, Darknet, Ray, …)."""

import importlib
import os
from typing import Any, NoReturn

import pytest


def missing(what: str, hint: str) -> NoReturn:
    """Skip a test whose outside program a machine lacks; in CI, which installs it, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing: {hint}")
    pytest.skip(f"{what} is not installed here: {hint}")


def needs(module: str, hint: str = "") -> Any:
    """Import a library that a test compares with; the test is skipped where it lacks, in CI it fails."""
    if not os.environ.get("CI"):
        return pytest.importorskip(module)
    try:
        return importlib.import_module(module)
    except ImportError:
        missing(module, hint or f"pip install {module}")
