"""COCO JSON: pictures, categories, boxes `[x, y, width, height]`; `labels` are the categories that occur.

All categories count as looked for in every picture (`labelled_for`), as COCO's own are. Boxes of crowds stay
out: they are no single object. https://cocodataset.org/#format-data
"""

import math
from pathlib import Path
from typing import Any

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.io.files import read_json
from okulo.io.readers.csv import split_of
from okulo.io.readers.listing import Listing, Places, typed
from okulo.io.walk import Row

Box = dict[str, float | str]
LOOK = 1 << 20


def read(source: Path, *, root: Path | None = None) -> Listing:
    """Read one COCO file, or a folder's: at its top, in `annotations/`, or one in each split's."""
    source = source.resolve()
    top = (root or (source if source.is_dir() else source.parent)).resolve()
    files = find_coco(source) if source.is_dir() else (source,)
    if not files:
        raise BadInput(str(source), "has no COCO file", hint='JSON with "images" and "annotations"')
    places = Places(top)
    rows: list[Row] = []
    columns: dict[str, list[object]] = {
        name: [] for name in ("path", "split", "labels", "labelled_for", "boxes")
    }
    for path in files:
        try:
            _add(path, read_json(path), places, columns, rows)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = f"{type(error).__name__}: {error}"
            raise BadInput(str(path), f"is no COCO file as okulo knows it ({said})") from error
    return Listing(top, typed(dict(columns)), "coco", Findings.of(rows))


def find_coco(folder: Path) -> tuple[Path, ...]:
    """JSON files that begin like COCO; of several for one split, those that hold instances."""
    found = [
        path
        for pattern in ("*.json", "annotations/*.json", "*/_annotations.coco.json")
        for path in sorted(folder.glob(pattern))
        if _is_coco(path)
    ]
    instances = [path for path in found if path.name.startswith("instances")]
    return tuple(instances or found)


def _is_coco(path: Path) -> bool:
    """Whether both keys stand near the file's start or end (the middle of a big one is not read)."""
    try:
        with path.open("rb") as file:
            seen = file.read(LOOK)
            size = file.seek(0, 2)
            file.seek(max(LOOK, size - LOOK))
            seen += file.read(LOOK)
    except OSError:
        return False
    keys = [key in seen for key in (b'"images"', b'"annotations"', b'"categories"')]
    return seen.lstrip().startswith(b"{") and sum(keys) >= (3 if size <= 2 * LOOK else 2)


def _add(path: Path, said: Any, places: Places, columns: dict[str, list[object]], rows: list[Row]) -> None:
    names = {int(each["id"]): str(each["name"]) for each in said["categories"]}
    boxes: dict[int, list[Box]] = {int(each["id"]): [] for each in said["images"]}
    crowds = 0
    for each in said["annotations"]:
        owner, box = boxes.get(int(each["image_id"])), _box(each, names)
        if owner is None or box is None:
            what = f"{path.name}: annotation {each.get('id')}"
            reason = "belongs to no picture" if owner is None else "has no box of four finite numbers"
            rows.append((what, "bad-box", 0.6, reason))
        elif each.get("iscrowd"):
            crowds += 1
        else:
            owner.append(box)
    if crowds:
        rows.append((path.name, "crowd", 0.1, f"{crowds:,} boxes of crowds were left out"))
    split = split_of(path.stem) or split_of(path.parent.name)
    start = str(path.parent.relative_to(places.root)) if path.is_relative_to(places.root) else ""
    for each in said["images"]:
        found = places.find(str(each["file_name"]), start=start)
        if not isinstance(found, str):
            rows.append(found)
            continue
        mine = boxes[int(each["id"])]
        columns["path"].append(found)
        columns["split"].append(split)
        columns["labels"].append(sorted({str(box["label"]) for box in mine}))
        columns["labelled_for"].append(list(names.values()))
        columns["boxes"].append(mine)


def _box(each: dict[str, Any], names: dict[int, str]) -> Box | None:
    sides = each.get("bbox")
    if not isinstance(sides, list) or len(sides) != 4 or int(each["category_id"]) not in names:
        return None
    x, y, width, height = (float(side) for side in sides)
    if not all(map(math.isfinite, (x, y, width, height))):
        return None
    return {"x0": x, "y0": y, "x1": x + width, "y1": y + height, "label": names[int(each["category_id"])]}
