"""The packed samples: where they lie, and how they become plain folders of pictures."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath, PureWindowsPath

from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.shapes import read_photos, write_shapes

SAMPLES = {
    "fashion": "Fashion-MNIST: 10,000 training and 2,000 test pictures, grey, 28 × 28, 10 classes (MIT)",
    "clipart": "Open Clip Art: 798 colour drawings of up to 96 × 96 in 8 classes (public domain)",
}

DRAWN = {"shapes": "shapes on photos with known boxes, in COCO's form, made on the spot: to train a detector"}
"""Samples that are no archive."""

MAX_FILES = 50_000
MAX_BYTES = 200_000_000
"""An archive that would unpack to more is refused before anything is written."""


@dataclass(frozen=True, kw_only=True)
class SampleParams(Params):
    """Write a small real data set to try okulo with: a plain folder of PNG files."""

    name: str = param(
        help="which one: fashion, clipart or shapes", choices=(*SAMPLES, *DRAWN), positional=True
    )
    folder: Path = param(help="new or empty folder for the files", positional=True)
    photos: Path | None = param(
        None, help="shapes: folder of photos to draw on (default: two of scikit-learn)"
    )
    pictures: int = param(1000, help="shapes: how many", low=10, high=100_000)
    side: int = param(160, help="shapes: height and width, pixels", low=32, high=2048)
    seed: int = param(0, help="shapes: which ones", low=0)


@dataclass(frozen=True)
class SampleReport:
    """What was written where."""

    name: str
    about: str
    folder: Path
    files: int
    bytes: int


def run(params: SampleParams, progress: Progress = silent) -> SampleReport:
    """Unpack one sample, or draw it, into a new or empty folder; all of it or nothing."""
    if params.name in DRAWN:
        photos = read_photos(params.photos)
        with _filled_aside(params.folder) as aside:
            many, side = params.pictures, params.side
            count, size = write_shapes(
                aside, photos, count=many, side=side, seed=params.seed, progress=progress
            )
        return SampleReport(params.name, DRAWN[params.name], params.folder, count, size)
    count, size = unpack(find_sample(params.name), params.folder, progress)
    return SampleReport(params.name, SAMPLES[params.name], params.folder, count, size)


def find_sample(name: str) -> Path:
    """Where a sample's zip file lies: inside the installed package, or in the repository."""
    packed = Path(str(files("okulo"))) / "samples" / f"{name}.zip"
    checkout = Path(str(files("okulo"))).parents[1] / "samples" / f"{name}.zip"
    for path in (packed, checkout):
        if path.is_file():
            return path
    raise BadInput(f"sample {name}", "its zip file is not installed", hint=f"looked for {packed}")


def unpack(archive: Path, folder: Path, progress: Progress = silent) -> tuple[int, int]:
    """Unpack a zip file into a new or empty folder, all of it or nothing; returns files and bytes written.

    Names that lead out of the folder, links, and archives that unpack to very much are BadInput.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            _check_entries(entries)
            with _filled_aside(folder) as aside:
                for entry in progress(entries, label=f"unpacking {archive.stem}"):
                    target = aside / entry.filename
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(opened.read(entry))
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise BadInput(str(archive), f"cannot be unpacked ({error})") from error
    return len(entries), sum(entry.file_size for entry in entries)


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    for entry in entries:
        name = PurePosixPath(entry.filename)
        foreign = PureWindowsPath(entry.filename)
        if name.is_absolute() or ".." in name.parts or foreign.drive or "\\" in entry.filename:
            raise BadInput("archive", f"holds a name that leads out of its folder: {entry.filename!r}")
        if (entry.external_attr >> 28) not in (0, 0o10):  # the file type's bits: none said, or a plain file
            raise BadInput("archive", f"holds something that is no plain file: {entry.filename!r}")
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_FILES or size > MAX_BYTES:
        raise BadInput(
            "archive",
            wanted=f"at most {MAX_FILES:,} files and {MAX_BYTES:,} bytes",
            got=f"{len(entries):,} files and {size:,} bytes",
        )


@contextmanager
def _filled_aside(folder: Path) -> Iterator[Path]:
    """Give a hidden folder inside `folder`; when the block ends well what it holds moves up, else it goes."""
    existed = folder.exists()
    if existed and (not folder.is_dir() or any(folder.iterdir())):
        problem = "is not empty" if folder.is_dir() else "is no folder"
        raise BadInput(str(folder), problem, hint="give a new or an empty one; nothing was changed")
    aside = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".okulo-", dir=folder))
        yield aside
        for child in sorted(aside.iterdir()):
            child.rename(folder / child.name)
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise BadInput(str(folder), problem, hint="nothing was left there") from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        if not existed and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
