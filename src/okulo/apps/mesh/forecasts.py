"""The forecast of errors that `auto` decides by, as a file."""

from dataclasses import fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from okulo.algo.mesh.forecast import Forecast
from okulo.core.errors import BadInput
from okulo.io.files import write_aside


def write_forecast(path: Path, forecast: Forecast) -> None:
    """Write a forecast as .npz, whole or not at all."""
    arrays = {each.name: getattr(forecast, each.name) for each in fields(forecast)}
    arrays["seen"] = arrays["seen"].astype(np.float16)
    with write_aside(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **{**arrays, "names": np.array(forecast.names)})


def read_forecast(path: Path) -> Forecast:
    """Read what `write_forecast` wrote; anything else is BadInput that names the file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            held = {each.name: arrays[each.name] for each in fields(Forecast)}
    except (OSError, EOFError, ValueError, TypeError, KeyError, BadZipFile) as error:
        raise BadInput(str(path), wanted="a forecast of errors (.npz)", got=str(error)[:100]) from error
    names = tuple(str(each) for each in held.pop("names"))
    return Forecast(names, **{name: np.asarray(value, np.float64) for name, value in held.items()})
