"""Masks: `images/` and `masks/` side by side, matched by stem; the mask's file goes into `mask`."""

from pathlib import Path, PurePosixPath

from okulo.core.errors import BadInput
from okulo.core.nouns import Findings
from okulo.io.readers.listing import Listing, split_named, typed
from okulo.io.walk import Row, walk

PICTURES = ("images", "image", "imgs", "img")
MASKS = ("masks", "mask", "annotations", "labels", "segmentation")
ENDINGS = ("_mask", "-mask", "_seg", "_label")
"""What a mask's stem may have after the picture's."""


def read(root: Path) -> Listing:
    """Read folders of pictures and of masks; a picture without a mask, or the reverse, is a finding."""
    walked = walk(root)
    masks: dict[str, str] = {}
    rows: list[Row] = []
    pictures = []
    for path in walked.pictures:
        side = side_of(path)
        if side == "mask":
            if masks.setdefault(key_of(path), path) != path:
                rows.append((path, "listed-twice", 0.5, f"a second mask beside {masks[key_of(path)]}"))
        elif side == "picture":
            pictures.append(path)
    if not pictures or not masks:
        raise BadInput(str(root), wanted="folders images and masks with pictures", got="none of one of these")
    found = [masks.pop(key_of(path), None) for path in pictures]
    rows += [(path, "no-label", 0.3, "has no mask") for path, mask in zip(pictures, found) if mask is None]
    rows += [(mask, "missing", 0.6, "a mask without a picture") for mask in masks.values()]
    splits = [
        next((s for part in path.split("/")[:-1] if (s := split_named(part))), None) for path in pictures
    ]
    skipped = walked.hidden + len(walked.others) + len(walked.pictures) - len(pictures) - len(found)
    findings = Findings(walked.findings.frame.vstack(Findings.of(rows).frame))
    return Listing(
        root, typed({"path": pictures, "split": splits, "mask": found}), "masks", findings, max(skipped, 0)
    )


def side_of(path: str) -> str:
    """Whether a file lies in a folder of pictures or of masks ("" for neither).

    >>> side_of("train/masks/a.png"), side_of("images/a.jpg"), side_of("a.png")
    ('mask', 'picture', '')
    """
    for folder in path.lower().split("/")[:-1]:
        if folder in PICTURES:
            return "picture"
        if folder in MASKS:
            return "mask"
    return ""


def key_of(path: str) -> str:
    """What picture and mask have in common: folders without the side's, and the stem.

    >>> key_of("train/masks/a_mask.png") == key_of("train/images/a.jpg")
    True
    """
    pure = PurePosixPath(path)
    stem = pure.stem
    if side_of(path) == "mask":
        stem = next((stem.removesuffix(end) for end in ENDINGS if stem.endswith(end)), stem)
    folders = [part for part in pure.parent.parts if part.lower() not in PICTURES + MASKS]
    return "/".join([*folders, stem])
