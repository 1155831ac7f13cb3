import pickle
import sys
from pathlib import Path

import pytest

from okulo.core.errors import BadInput, need


def test_bad_input_survives_the_way_home_from_a_worker() -> None:
    error = pickle.loads(pickle.dumps(BadInput("boxes", wanted="4 numbers", got=3, hint="xywh?")))
    assert str(error) == "boxes: expected 4 numbers, got 3; xywh?"
    assert (error.what, error.hint) == ("boxes", "xywh?")


def test_an_installed_but_broken_package_raises_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import no_such_dependency_of_it\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency_of_it"):
        need("broken_package", extra="train")
    assert "broken_package" not in sys.modules
