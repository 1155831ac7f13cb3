"""Make the packed samples that `okulo sample` unpacks: real pictures, freely licensed, always the same bytes.

    apt-get install dataset-fashion-mnist openclipart-png
    python samples/make_samples.py

Both are plain zip files of PNG files (stored: a PNG is compressed already) with a LICENCE.txt inside.
The clip-art keeps its natural near-duplicates (recoloured drawings, the 54 cards of several packs).
"""

import argparse
import gzip
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
FASHION = Path("/usr/share/datasets/fashion-mnist")
CLIPART = Path("/usr/share/openclipart/png")
SEED = 2026

FASHION_CLASSES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
)
FASHION_PARTS = {"train": ("train", 1000), "test": ("t10k", 200)}
"""Name of our split: name of the original's files, pictures of each class."""

CLIPART_CLASSES = {
    "animals": ("animals",),
    "cards": ("recreation/games/cards",),
    "food": ("food",),
    "music": ("recreation/music",),
    "office": ("office",),
    "people": ("people",),
    "plants": ("plants",),
    "vehicles": ("transportation/vehicles", "transportation/boating"),
}
CLIPART_EACH = 110
CLIPART_SIDE = 96
"""Longest side, pixels."""
CLIPART_MAX_PIXELS = 16_000_000
"""Some of the originals are huge; those are left out."""

MIT = """Fashion-MNIST, a part of it: 1,000 training and 200 test pictures of each of its ten classes.
https://github.com/zalandoresearch/fashion-mnist - the file name is the picture's number in the original.

The MIT License (MIT)

Copyright © 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction, including
without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the
following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO
EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE
USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

PUBLIC_DOMAIN = """Clip-art of the Open Clip Art Library (https://openclipart.org), release 0.18, a part,
made smaller and laid on white.

Every drawing was given to the public domain by its maker (Creative Commons Public Domain Dedication):

The person or persons who have associated work with this document (the "Dedicator" or "Certifier") hereby
either (a) certifies that, to the best of his knowledge, the work of authorship identified is in the public
domain of the country from which the work is published, or (b) hereby dedicates whatever copyright the
dedicators holds in the work of authorship identified below (the "Work") to the public domain.
"""


def fashion_files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the fashion sample: its name and bytes."""
    yield "LICENCE.txt", MIT.encode()
    rng = np.random.default_rng(SEED)
    for split, (original, each) in FASHION_PARTS.items():
        pictures = read_idx(source / f"{original}-images-idx3-ubyte.gz")
        labels = read_idx(source / f"{original}-labels-idx1-ubyte.gz")
        for number, name in enumerate(FASHION_CLASSES):
            for row in np.sort(rng.permutation(np.flatnonzero(labels == number))[:each]):
                yield f"{split}/{name}/{row:05}.png", as_png(Image.fromarray(pictures[row]))


def read_idx(path: Path) -> np.ndarray:
    """Read the idx format of MNIST: two zero bytes, type 8 (uint8), rank, the sizes as big-endian int32."""
    data = gzip.decompress(path.read_bytes())
    rank = data[3]
    shape = np.frombuffer(data, ">i4", rank, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def clipart_files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the clip-art sample: its name and bytes."""
    yield "LICENCE.txt", PUBLIC_DOMAIN.encode()
    rng = np.random.default_rng(SEED)
    for name, folders in CLIPART_CLASSES.items():
        found = sorted(path for folder in folders for path in (source / folder).rglob("*.png"))
        pictures: dict[str, bytes] = {}
        for row in rng.permutation(len(found)):
            picture = open_clipart(found[row])
            if picture is not None and found[row].name not in pictures:
                pictures[found[row].name] = as_png(picture)
            if len(pictures) == CLIPART_EACH:
                break
        yield from ((f"{name}/{file}", pictures[file]) for file in sorted(pictures))


def open_clipart(path: Path) -> Image.Image | None:
    """One drawing on white, its longest side at most `CLIPART_SIDE`; None where it is huge or empty."""
    with Image.open(path) as picture:
        if picture.width * picture.height > CLIPART_MAX_PIXELS:
            return None
        drawing = picture.convert("RGBA")
    seen = Image.alpha_composite(Image.new("RGBA", drawing.size, "white"), drawing).convert("RGB")
    seen.thumbnail((CLIPART_SIDE, CLIPART_SIDE), Image.Resampling.BICUBIC)
    return seen if min(seen.size) >= 8 and np.ptp(np.asarray(seen)) > 32 else None


def as_png(picture: Image.Image) -> bytes:
    """Encode as small as Pillow can."""
    data = BytesIO()
    picture.save(data, "PNG", optimize=True)
    return data.getvalue()


def pack(path: Path, files: Iterator[tuple[str, bytes]]) -> None:
    """Write a zip file that is the same whenever it is made."""
    count = 0
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED if name.endswith(".txt") else zipfile.ZIP_STORED
            archive.writestr(entry, data)
            count += 1
    print(f"{path}: {count:,} files, {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Make both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fashion", type=Path, default=FASHION, help="folder of the four idx files")
    parser.add_argument("--clipart", type=Path, default=CLIPART, help="folder of the clip-art's PNG files")
    parser.add_argument("--out", type=Path, default=HERE, help="where the zip files go")
    given = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None  # `open_clipart` holds its own bound, before it decodes
    for folder, package in ((given.fashion, "dataset-fashion-mnist"), (given.clipart, "openclipart-png")):
        if not folder.is_dir():
            sys.exit(f"{folder} is not there: apt-get install {package}")
    pack(given.out / "fashion.zip", fashion_files(given.fashion))
    pack(given.out / "clipart.zip", clipart_files(given.clipart))


if __name__ == "__main__":
    main()
