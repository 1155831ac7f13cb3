"""What a model file says of itself whose inputs are arrays, not pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from okulo.core.errors import BadInput
from okulo.core.model import FORMAT, check_format
from okulo.core.report import to_json

ARRAY_TASKS = {"normals": "normals"}
"""Tasks, and the output a file for each has at least: `normals` of a mesh's faces, float32 (n, 3)."""


@dataclass(frozen=True, kw_only=True)
class ArrayInfo:
    """All a model file with arrays as inputs says of itself; stored as metadata `okulo.<field>`, each JSON.

    >>> info = ArrayInfo(task="normals", architecture="graph", inputs=("described", "ring"))
    >>> ArrayInfo.from_json(info.to_json()) == info
    True
    """

    task: str
    architecture: str
    """What kind of network it is; it says how the inputs are made."""
    inputs: tuple[str, ...]
    name: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: str = ""
    """What it was trained on."""
    versions: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.task not in ARRAY_TASKS:
            raise BadInput("task", wanted=f"one of {', '.join(ARRAY_TASKS)}", got=repr(self.task))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, one per field, and the format's version."""
        return {"format": FORMAT, **to_json(self)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "ArrayInfo":
        """Read what `to_json` wrote; a missing field, a wrong type or a newer format is BadInput."""
        check_format(said)
        if said.get("task") not in ARRAY_TASKS:
            raise BadInput(
                "model file", wanted=f"task {', '.join(ARRAY_TASKS)}", got=f"task {said.get('task')!r}"
            )
        known = {each.name for each in fields(cls)}
        try:
            values = {name: value for name, value in said.items() if name in known}
            values["inputs"] = tuple(str(name) for name in values["inputs"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput("model file", f"its okulo metadata cannot be read ({error})") from error
