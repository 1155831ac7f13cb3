"""YOLO text: beside `…/images/…/a.jpg` a `…/labels/…/a.txt` with lines `class cx cy width height` (shares).

Class names come from `data.yaml` (its `names:`) or `classes.txt`. Lines with more numbers are polygons; their
bounding box is taken. A picture without a text file counts as one without objects, as YOLO has it.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.io.examine import examine_header
from okulo.io.readers.listing import Listing, split_named, typed
from okulo.io.walk import Row, walk

Box = dict[str, float | str]


def read(root: Path) -> Listing:
    """Read a folder of `images/` and `labels/`, splits above or below these."""
    walked = walk(root)
    texts = {path for path in walked.others if path.endswith(".txt")}
    names = class_names(root)
    rows: list[Row] = []
    columns: dict[str, list[object]] = {
        name: [] for name in ("path", "split", "labels", "labelled_for", "boxes")
    }
    pictures = [path for path in walked.pictures if "images" in path.split("/")[:-1]]
    for path in pictures:
        text = text_of(path)
        size = examine_header(root / path)
        if text in texts and size is not None:  # one that is broken is found out later
            boxes, wrong = boxes_of((root / text).read_text("utf-8", "replace"), size, names)
            rows += [(text, "bad-box", 0.6, reason) for reason in wrong]
        else:
            boxes = []
        columns["path"].append(path)
        columns["split"].append(next((s for part in path.split("/")[:-1] if (s := split_named(part))), None))
        columns["labels"].append(sorted({str(box["label"]) for box in boxes}))
        columns["labelled_for"].append(list(names) or None)
        columns["boxes"].append(boxes)
        texts.discard(text)
    orphans = sorted(
        text for text in texts if "labels" in text.split("/")[:-1] and not text.endswith("classes.txt")
    )
    rows += [(text, "missing", 0.6, "boxes without a picture") for text in orphans]
    skipped = walked.hidden + len(walked.others) + len(walked.pictures) - len(pictures)
    findings = Findings(walked.findings.frame.vstack(Findings.of(rows).frame))
    return Listing(root, typed(dict(columns)), "yolo", findings, skipped)


def text_of(picture: str) -> str:
    """Where the boxes of a picture lie: the last `images` becomes `labels`.

    >>> text_of("train/images/a.b.jpg")
    'train/labels/a.b.txt'
    """
    parts = picture.split("/")
    at = len(parts) - 1 - parts[::-1].index("images")
    parts[at] = "labels"
    return "/".join(parts).rpartition(".")[0] + ".txt"


def boxes_of(text: str, size: tuple[int, int], names: Sequence[str]) -> tuple[list[Box], list[str]]:
    """Boxes (xyxy, pixels) of one file for a picture of `size` (width, height), and what is wrong with lines.

    >>> boxes_of("1 0.5 0.5 0.2 0.5", (100, 40), ["cat", "dog"])[0]
    [{'x0': 40.0, 'y0': 10.0, 'x1': 60.0, 'y1': 30.0, 'label': 'dog'}]
    """
    boxes: list[Box] = []
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            kind, *numbers = line.split()
            x0, y0, x1, y1 = _corners([float(each) for each in numbers])
            label = names[int(kind)] if names else str(int(kind))
        except (ValueError, IndexError):
            wrong.append(f"line {number} is no box of a known class: {line[:60]!r}")
            continue
        width, height = size
        corners = (x0 * width, y0 * height, x1 * width, y1 * height)
        x0, y0, x1, y1 = (round(value, 3) for value in corners)
        boxes.append({"x0": x0, "y0": y0, "x1": x1, "y1": y1, "label": label})
    return boxes, wrong


def _corners(shares: Sequence[float]) -> tuple[float, float, float, float]:
    if not all(-10 <= share <= 10 for share in shares):  # NaN too
        raise ValueError
    if len(shares) == 4:
        x, y, width, height = shares
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(shares) < 6 or len(shares) % 2:
        raise ValueError
    return min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2])


def class_names(root: Path) -> list[str]:
    """Names of the classes, by number; empty where none are given."""
    for path in sorted([*root.glob("*.yaml"), *root.glob("*.yml")]):
        names = names_of_yaml(path.read_text("utf-8", "replace"))
        if names:
            return names
    for path in (root / "classes.txt", root / "labels" / "classes.txt", root / "obj.names"):
        if path.is_file():
            return [line.strip() for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    return []


def names_of_yaml(text: str) -> list[str]:
    """The `names:` of a YOLO data.yaml, in its three usual forms; no YAML library is needed for these.

    >>> names_of_yaml("names: ['cat', dog]"), names_of_yaml("names:\\n  0: cat\\n  1: dog\\nnc: 2")
    (['cat', 'dog'], ['cat', 'dog'])
    >>> names_of_yaml("names:\\n- cat\\n- dog")
    ['cat', 'dog']
    """
    found = re.search(
        r"^names:[ \t]*(\[.*?\]|\{.*?\})?[^\n]*\n?((?:[ \t]*(?:-|\d+:)[^\n]*\n?)*)", text, re.M | re.S
    )
    if not found:
        return []
    inline, block = found.groups()
    cells = re.split(r",", inline[1:-1]) if inline else block.splitlines()
    bare = [re.sub(r"^\s*(?:-\s+|\d+\s*:\s*)?|\s+#.*$", "", cell).strip() for cell in cells]
    names = [
        cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "'\"" else cell for cell in bare
    ]
    if len(names) != len(set(names)):
        raise BadInput("data.yaml", "names a class twice")
    return [name for name in names if name]
