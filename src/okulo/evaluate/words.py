"""Numbers as they are said in reports."""

import math


def pct(share: float | None, digits: int = 1) -> str:
    """A share as a percentage; "–" where it is undefined.

    >>> pct(0.9123) == "91.2\u202f%", pct(1.0) == "100\u202f%", pct(float("nan")), pct(None)
    (True, True, '–', '–')
    """
    if share is None or math.isnan(share):
        return "–"
    text = f"{100 * share:.{digits}f}"
    return ("100" if text.startswith("100") else text) + "\u202f%"


def count(number: int) -> str:
    """A whole number with commas between thousands.

    >>> count(12345)
    '12,345'
    """
    return f"{number:,}"


def num(value: float | None, digits: int = 3) -> str:
    """A figure with three digits behind the point; "–" where it is undefined.

    >>> num(0.12345), num(float("nan"))
    ('0.123', '–')
    """
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"
