"""Checks that nouns make once, on construction; each error says wanted and got."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from okulo.core.errors import BadInput


def check_array(what: str, value: Any, dtype: type[np.generic], shape: Sequence[int | None]) -> None:
    """Raise BadInput unless `value` is an array of this type and shape (None: any length).

    >>> check_array("boxes", np.zeros((2, 4)), np.float32, (None, 4))
    Traceback (most recent call last):
    okulo.core.errors.BadInput: boxes: expected float32 of shape (any, 4), got float64 (2, 4)
    """
    wanted = f"{np.dtype(dtype).name} of shape ({', '.join('any' if s is None else str(s) for s in shape)})"
    if not isinstance(value, np.ndarray):
        raise BadInput(what, wanted=wanted, got=type(value).__name__)
    fits = len(value.shape) == len(shape) and all(s is None or s == v for s, v in zip(shape, value.shape))
    if value.dtype != np.dtype(dtype) or not fits:
        raise BadInput(what, wanted=wanted, got=f"{value.dtype.name} {value.shape}")


def check_finite(what: str, value: np.ndarray) -> None:
    """Raise BadInput that names the first row holding NaN or infinity.

    >>> check_finite("score", np.float32([1, np.nan]))
    Traceback (most recent call last):
    okulo.core.errors.BadInput: score: expected finite numbers, got nan in row 1
    """
    bad = ~np.isfinite(value)
    if bad.any():
        where = tuple(np.argwhere(bad)[0])
        raise BadInput(what, wanted="finite numbers", got=f"{value[where]} in row {where[0]}")


def check_same_length(**columns: Any) -> None:
    """Raise BadInput unless every column has as many rows as the first.

    >>> check_same_length(xyxy=[1, 2], score=[1])
    Traceback (most recent call last):
    okulo.core.errors.BadInput: score: expected 2 rows as xyxy has, got 1
    """
    (first, reference), *others = columns.items()
    for name, column in others:
        if len(column) != len(reference):
            raise BadInput(name, wanted=f"{len(reference)} rows as {first} has", got=len(column))


def check_image(image: Any) -> None:
    """Raise BadInput unless this is an image: uint8, height × width × 3 (RGB), not empty.

    >>> check_image(np.zeros((8, 8), np.uint8))
    Traceback (most recent call last):
    okulo.core.errors.BadInput: image: expected uint8 of shape (any, any, 3), got uint8 (8, 8)
    """
    check_array("image", image, np.uint8, (None, None, 3))
    if image.size == 0:
        raise BadInput("image", wanted="at least one pixel", got=f"shape {image.shape}")
