"""What `--crop` brings where marks lie small on photos, and what it costs where they do not.

apt-get install plasma-workspace-wallpapers mate-backgrounds gnome-backgrounds; emoji as search_emoji.py says
okulo backbone efficientnet-lite0 -o /tmp/lite0.okulo.onnx
python benchmarks/search_crop.py EMOJI tune    # how high the attention crop's level should be, on other emoji
python benchmarks/search_crop.py EMOJI         # the figures

The base are all 3,786 drawings of one vendor on white. Queries are the same drawings at 20 to 45 % of the
side on photos or on one colour, and the other vendor's drawing as it is. "true box" cuts where the mark was
put: what a perfect detector would give. Writes `benchmarks/results/search-crop.json`.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from machine import write_results
from okulo.io.images import read_image
from okulo.runtime import attention as looking
from okulo.runtime.attention import load_attention
from okulo.runtime.modelfile import load
from okulo.search.exact import unit
from okulo.search.pictures import cut
from search_emoji import emoji

PHOTOS = ("/usr/share/wallpapers", "/usr/share/backgrounds")
WIDTH, HEIGHT = 480, 360
SHARES = (0.2, 0.45)
LEVELS = (0.35, 0.5, 0.65, 0.8)
Picture = np.ndarray
Box = tuple[int, int, int, int]


def photos() -> list[Picture]:
    files = [p for folder in PHOTOS for p in sorted(Path(folder).rglob("*.jpg"))]
    read = [cv2.imread(str(p), cv2.IMREAD_REDUCED_COLOR_4) for p in files]
    small = [cv2.resize(p, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for p in read if p is not None]
    return [np.ascontiguousarray(p[:, :, ::-1]) for p in small]


def pasted(file: Path, ground: Picture, rng: np.random.Generator) -> tuple[Picture, Box]:
    """A drawing, with its transparency, somewhere on a ground."""
    drawn = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    side = int(rng.uniform(*SHARES) * HEIGHT)
    drawn = cv2.resize(drawn, (side, side), interpolation=cv2.INTER_AREA if side < 64 else cv2.INTER_CUBIC)
    x, y = int(rng.integers(WIDTH - side)), int(rng.integers(HEIGHT - side))
    out, alpha = ground.copy(), drawn[:, :, 3:] / 255.0
    under = out[y : y + side, x : x + side]
    under[:] = np.rint(under * (1 - alpha) + drawn[:, :, 2::-1] * alpha)
    return out, (x, y, x + side, y + side)


def queries(files: list[Path], kind: str, grounds: list[Picture]) -> list[tuple[Picture, Box]]:
    rng = np.random.default_rng(0)
    out = []
    for file in files:
        if kind == "alone":
            image = read_image(file)
            out.append((image, (0, 0, image.shape[1], image.shape[0])))
            continue
        plain = np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (HEIGHT, WIDTH, 3))
        out.append(pasted(file, grounds[int(rng.integers(len(grounds)))] if kind == "photo" else plain, rng))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("emoji", type=Path)
    parser.add_argument("part", nargs="?", choices=("tune", "measure"), default="measure")
    parser.add_argument("--model", type=Path, default=Path("/tmp/lite0.okulo.onnx"))
    parser.add_argument("--queries", type=int, default=240)
    chosen = parser.parse_args()
    file, attend = load(chosen.model, threads=1), load_attention(chosen.model)
    frame = emoji(chosen.emoji).frame
    base = frame.filter(frame["vendor"] == "google")
    wanted = base["label"].to_numpy()
    kept = chosen.emoji / "crop-base.npy"
    if not kept.is_file():
        np.save(kept, embed(file, [read_image(chosen.emoji / path) for path in base["path"]]))
    vectors, grounds = np.load(kept), photos()
    split, count = ("train", 150) if chosen.part == "tune" else ("test", chosen.queries)
    some = frame.filter(
        (frame["split"] == split) & (frame["label"] == frame["emoji"].str.strip_suffix(".png"))
    )
    rows: list[dict[str, object]] = []
    for kind in ("photo",) if chosen.part == "tune" else ("photo", "plain", "alone"):
        vendor = "twitter" if kind == "alone" else "google"
        mine = some.filter(some["vendor"] == vendor)
        mine = mine[np.random.default_rng(1).permutation(len(mine))[:count]]
        asked = queries([chosen.emoji / path for path in mine["path"]], kind, grounds)
        for name, crop in (levels(attend) if chosen.part == "tune" else ways(attend)).items():
            seen = embed(file, [np.ascontiguousarray(crop(*each)) for each in asked])
            order = np.argsort(-(seen @ vectors.T), axis=1)[:, :10]
            hits = wanted[order] == mine["label"].to_numpy()[:, None]
            row = {"ground": kind, "crop": name, "queries": len(mine), "recall@1": float(hits[:, 0].mean()),
                   "recall@10": float(hits.any(axis=1).mean())}  # fmt: skip
            rows.append(row)
            print(row, flush=True)
    said = {"rows": rows, "photos": len(grounds), "base": len(base), "level": looking.LEVEL}
    write_results("search-crop-tune" if chosen.part == "tune" else "search-crop", said)


def embed(file: object, images: list[Picture]) -> np.ndarray:
    return unit("seen", np.stack([each["embedding"] for each in file.predict(images)]))  # type: ignore[attr-defined]


Crop = Callable[[Picture, Box], Picture]


def ways(attend: looking.Attention) -> dict[str, Crop]:
    return {
        "none": lambda image, box: image,
        "object": lambda image, box: cut(image, "object"),
        "attention": lambda image, box: attend(image),
        "true box": lambda image, box: image[box[1] : box[3], box[0] : box[2]],
    }


def levels(attend: looking.Attention) -> dict[str, Crop]:
    def at(level: float) -> Crop:
        def crop(image: Picture, box: Box) -> Picture:
            looking.LEVEL = level
            return attend(image)

        return crop

    return {f"level {level}": at(level) for level in LEVELS}


if __name__ == "__main__":
    main()
