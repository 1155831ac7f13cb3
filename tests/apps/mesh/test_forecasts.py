from pathlib import Path

import numpy as np
import pytest

from okulo.algo.mesh.forecast import fit_forecast
from okulo.apps.mesh.forecasts import read_forecast, write_forecast
from okulo.core.errors import BadInput


def test_a_forecast_is_kept_in_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    forecast = fit_forecast(["a", "b"], rng.normal(size=(30, 5)), rng.uniform(1, 9, (30, 2)))
    write_forecast(tmp_path / "f.npz", forecast)
    again = read_forecast(tmp_path / "f.npz")
    point = rng.normal(size=5)
    np.testing.assert_array_equal(again.errors_deg(point), forecast.errors_deg(point))
    (tmp_path / "bad.npz").write_bytes(b"no such thing")
    np.savez(tmp_path / "other.npz", mean=np.ones(3))
    (tmp_path / "half.npz").write_bytes((tmp_path / "f.npz").read_bytes()[:300])
    (tmp_path / "empty.npz").touch()
    for name in ("bad.npz", "other.npz", "absent.npz", "half.npz", "empty.npz"):
        with pytest.raises(BadInput, match=f"{name}.*forecast"):
            read_forecast(tmp_path / name)
