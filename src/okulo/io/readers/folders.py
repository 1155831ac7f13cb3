"""Class folders: the first folder names the class; `train`, `val`, `test` above it name the split."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from okulo.core.nouns import Findings
from okulo.io.readers.listing import Listing, split_named, typed
from okulo.io.walk import walk


def read(root: Path) -> Listing:
    """Read `class/…/picture` or `train/class/…/picture`; a flat folder gives items without labels."""
    walked = walk(root)
    described = describe(walked.pictures)
    strays = [path for path, said in zip(walked.pictures, described) if said is None]
    rows = [(path, "no-split", 0.3, "lies beside the train and test folders; left out") for path in strays]
    kept = [(path, *said) for path, said in zip(walked.pictures, described) if said is not None]
    frame = typed(
        {
            "path": [path for path, _, _ in kept],
            "split": [split for _, split, _ in kept],
            "label": [label for _, _, label in kept],
        }
    )
    findings = Findings(walked.findings.frame.vstack(Findings.of(rows).frame))
    return Listing(root, frame, "folders", findings, walked.hidden + len(walked.others))


def describe(pictures: Sequence[str]) -> list[tuple[str | None, str | None] | None]:
    """Split and label of each path, by its folders; None for pictures that lie beside the splits.

    >>> describe(["cat/1.png", "dog/old/2.png", "3.png"])
    [(None, 'cat'), (None, 'dog'), (None, None)]
    >>> describe(["train/cat/1.png", "Test/cat/2.png", "Test/3.png", "Meta/4.png"])
    [('train', 'cat'), ('test', 'cat'), ('test', None), None]
    """
    parts = [path.split("/") for path in pictures]
    if not _are_splits(parts):
        return [(None, part[0] if len(part) > 1 else None) for part in parts]
    said: list[tuple[str | None, str | None] | None] = []
    for part in parts:
        split = split_named(part[0]) if len(part) > 1 else None
        said.append((split, part[1] if len(part) > 2 else None) if split else None)
    return said


def _are_splits(parts: Iterable[Sequence[str]]) -> bool:
    """Whether the top folders are splits: all are named so, or `train` holds folders only.

    A class may be called "train" too, beside "bus" and "car": its folder holds pictures.
    """
    tops = {part[0] for part in parts if len(part) > 1}
    named = {top for top in tops if split_named(top)}
    train = {top for top in named if split_named(top) == "train"}
    flat = {part[0] for part in parts if len(part) == 2}
    return bool(named) and (named == tops or (bool(train) and not train & flat))
