"""Reports: what a command found, as a frozen dataclass; printed in a terminal or sent as JSON."""

import math
import sys
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import PurePath
from typing import Any

import numpy as np


def to_json(value: Any) -> Any:
    """Turn a report, and all that hangs on it, into what `json.dumps` takes; NaN and infinities become null.

    >>> to_json({"accuracy": np.float32(0.5), "worst": np.array([1, 2]), "gap": float("nan")})
    {'accuracy': 0.5, 'worst': [1, 2], 'gap': None}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return to_json(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, PurePath | date):
        return str(value)
    pl = sys.modules.get("polars")  # a server reads model files without it: 26 MB less
    if pl is not None and isinstance(value, pl.DataFrame):
        return [to_json(row) for row in value.iter_rows(named=True)]
    if pl is not None and isinstance(value, pl.Series):
        return to_json(value.to_list())
    return value
