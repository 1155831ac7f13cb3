"""Which column of somebody else's table holds the paths, and which the labels."""

from collections.abc import Sequence

from okulo.core.errors import BadInput

PATHS = ("path", "filepath", "file_path", "image_path", "img_path", "filename", "file_name", "file", "image",
         "img", "image_name", "image_id", "img_name", "picture", "id")  # fmt: skip
LABELS = ("label", "class", "classid", "class_id", "class_name", "category", "category_name", "target",
          "species", "breed", "tag", "emotion", "y")  # fmt: skip
"""Usual names, lower case, the surest first."""


def guess_path(columns: Sequence[str], given: str, what: str) -> str:
    """The column of paths; BadInput where none is named so."""
    found = _guess(columns, given, PATHS, what, "path-column")
    if found is None:
        listed = ", ".join(columns)
        raise BadInput(what, wanted="a column of paths", got=listed, hint="name it with --path-column")
    return found


def guess_label(columns: Sequence[str], given: str, what: str) -> str | None:
    """The column of labels; None where there is none.

    >>> guess_label(["Width", "ClassId", "Path"], "", "Train.csv")
    'ClassId'
    """
    return _guess(columns, given, LABELS, what, "label-column")


def _guess(columns: Sequence[str], given: str, usual: Sequence[str], what: str, option: str) -> str | None:
    if given and given not in columns:
        raise BadInput(what, wanted=f"a column {given!r}", got=", ".join(columns), hint=f"see --{option}")
    lower = {name.strip().lower(): name for name in reversed(columns)}
    return given or next((lower[name] for name in usual if name in lower), None)
