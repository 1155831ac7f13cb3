"""Darknet's `.cfg`: sections of `key=value` lines, the first one the network's own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from okulo.core.errors import BadInput

T = TypeVar("T", int, float)
MAX_BYTES = 10_000_000


@dataclass
class Section:
    """One layer as it is written: kind, line where it begins, options."""

    kind: str
    line: int
    options: dict[str, str] = field(default_factory=dict)

    def whole(self, name: str, default: int) -> int:
        """Read an option that is a whole number."""
        return self._number(name, default, int, "a whole number")

    def number(self, name: str, default: float) -> float:
        """Read an option that is a number."""
        return self._number(name, default, float, "a number")

    def word(self, name: str, default: str) -> str:
        """Read an option that is a word."""
        return self.options.get(name, default)

    def numbers(self, name: str) -> list[float]:
        """Read an option that is a list of numbers with commas.

        >>> Section("yolo", 1, {"mask": "3,4, 5"}).numbers("mask")
        [3.0, 4.0, 5.0]
        """
        said = self.options.get(name, "")
        try:
            return [float(each) for each in said.split(",") if each.strip()]
        except ValueError as error:
            raise self.refuse(f"{name}: expected numbers with commas, got {said!r}") from error

    def _number(self, name: str, default: T, kind: type[T], wanted: str) -> T:
        said = self.options.get(name)
        if said is None:
            return default
        try:
            return kind(said)
        except ValueError as error:
            raise self.refuse(f"{name}: expected {wanted}, got {said!r}") from error

    def refuse(self, problem: str) -> BadInput:
        """Make an error that names the place."""
        return BadInput(f"[{self.kind}] in line {self.line}", problem)


def read_cfg(path: Path) -> list[Section]:
    """Read a cfg file; what is no cfg, or has no `[net]` first, is BadInput that names the line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
    if len(data) > MAX_BYTES or b"\0" in data:
        raise BadInput(
            str(path), "is no Darknet cfg, it is not text", hint="the cfg comes first, then weights"
        )
    try:
        return parse_cfg(data.decode("utf-8", "replace").splitlines())
    except BadInput as error:
        raise BadInput(str(path), str(error)) from error


def parse_cfg(lines: Sequence[str]) -> list[Section]:
    """Read the lines of a cfg.

    >>> [(each.kind, each.options) for each in parse_cfg(["[net]", "width = 416 # px", "[yolo]"])]
    [('net', {'width': '416'}), ('yolo', {})]
    """
    sections: list[Section] = []
    for number, line in enumerate(lines, 1):
        said = line.partition("#")[0].partition(";")[0].strip()
        if not said:
            continue
        if said.startswith("["):
            if not said.endswith("]"):
                raise BadInput(f"line {number}", wanted="a section as [net]", got=repr(said[:40]))
            sections.append(Section(said[1:-1].strip().lower(), number))
            continue
        name, equals, value = said.partition("=")
        if not equals or not sections:
            raise BadInput(f"line {number}", wanted="key=value below a [section]", got=repr(said[:40]))
        sections[-1].options["".join(name.split())] = "".join(value.split())
    if not sections or sections[0].kind not in ("net", "network"):
        got = f"[{sections[0].kind}]" if sections else "nothing"
        raise BadInput("cfg", wanted="[net] as its first section", got=got)
    if len(sections) < 2:
        raise BadInput("cfg", "has no layers")
    return sections
