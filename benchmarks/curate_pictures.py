"""Real pictures for the curation benchmarks, from Debian packages: small working copies, made once.

`apt-get install openclipart-png plasma-workspace-wallpapers mate-backgrounds gnome-backgrounds
tuxpaint-stamps-default lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 ukui-wallpapers`
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from okulo.core.errors import BadInput
from okulo.io.images import SUFFIXES, encode_png, read_image

SOURCES = {
    "plasma": Path("/usr/share/wallpapers"),
    "backgrounds": Path("/usr/share/backgrounds"),
    "stamps": Path("/usr/share/tuxpaint/stamps"),
    "clipart": Path("/usr/share/openclipart/png"),
}
CACHE = Path(os.environ.get("OKULO_BENCH_CACHE", Path.home() / ".cache" / "okulo-bench")) / "pictures"
LONGEST_PX = 512
SHORTEST_PX = 32


def working_copies(cache: Path = CACHE) -> list[Path]:
    """Copy every picture of the packages to at most 512 px, once; gives the copies, in a fixed order."""
    if not (cache / "done").exists():
        jobs = [
            (path, cache / source / f"{path.relative_to(root).as_posix().replace('/', '__')}.png")
            for source, root in SOURCES.items()
            for path in sorted(root.rglob("*"))
            if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink()
        ]
        if not jobs:
            raise SystemExit(f"no pictures found: {__doc__}")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(_copy, jobs))
        (cache / "done").touch()
    return sorted(cache.rglob("*.png"))


def _copy(job: tuple[Path, Path]) -> None:
    source, target = job
    try:
        image = read_image(source)
    except BadInput as error:
        print(f"left out: {error}")
        return
    height, width = image.shape[:2]
    if min(height, width) < SHORTEST_PX or image.std() < 2:
        return
    scale = LONGEST_PX / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(encode_png(np.ascontiguousarray(image)))
