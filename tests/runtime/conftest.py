"""One exported model for all tests here: exporting takes seconds."""

from pathlib import Path

import pytest
from tests.models import write_model


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "small.okulo.onnx")


@pytest.fixture(scope="session")
def embedder_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "embed.okulo.onnx", "embed")
