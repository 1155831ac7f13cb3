"""Real pictures with planted copies whose truth is known: a part to tune on, and apart from it one to judge.

Rules of the truth, settled on the tuning part before anything was judged:

- A wallpaper and its own preview (`screenshot`) are one picture in two sizes or shapes: duplicates. Portrait
  versions of a wallpaper show a third of it and are left out, being neither.
- Two pictures whose grey 32 × 32 thumbnails correlate by more than 0.9 in any of the eight flips and turns
  are too alike for a rule to say whether they are one (recoloured buttons, flags in two sizes, arrows to the
  left and to the right): one of them is left out. The same goes for what is left of them when frames and
  empty margins are cut off: many drawings were stored twice, at another place of the page or in another size
  (the first rule did not see those, and told wrongly that they were different pictures). The 1,378 generated
  stars are left out.
- Clip-art of one file name in two folders is one drawing stored twice: one of them is left out.
- All other pictures are distinct, however alike: playing cards, road signs, flags, icons in one frame.
- A copy in which nothing is left to be seen (an outline on white paper, over-exposed) is no copy: none is
  planted whose values vary by less than 2 grey levels, which is what is asked of the pictures, too.
- A picture belongs to the tuning or the judging part by a hash of its folder and name, never to both.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from curate_pictures import CACHE, working_copies
from okulo.curate.duplicates.copies import KINDS, watermark
from okulo.curate.duplicates.trim import content_box
from okulo.io.images import encode_jpeg, encode_png, read_image

ALIKE = 0.9
WATERMARKED = 0.1
COPIED = 0.4
LEAST_SPREAD = 2.0


@dataclass(frozen=True)
class Truth:
    """Files of one set, which picture each shows, and how it was made (`natural` or a kind of copy)."""

    folder: Path
    names: list[str]
    picture: np.ndarray
    kind: list[str]
    source: list[str]

    def files(self) -> list[Path]:
        return [self.folder / name for name in self.names]


def part_of(path: Path) -> str:
    """Half is for tuning (the third that always was, and a quarter of the rest), half for judging."""
    digest = hashlib.blake2b(f"{path.parent.name}/{_wallpaper(path)}".encode(), digest_size=4).digest()
    return "tune" if digest[0] % 3 == 0 or digest[1] % 4 == 0 else "judge"


def _wallpaper(path: Path) -> str:
    return path.name.split("__")[0] if path.parent.name == "plasma" else path.name


def distinct_pictures(cache: Path = CACHE) -> list[list[Path]]:
    """Working copies by picture: mostly one file each, a wallpaper and its preview two."""
    listed = cache.parent / "distinct-2.json"
    if not listed.exists():
        paths = [p for p in working_copies(cache) if not p.name.startswith("shapes__stars")]
        paths = [p for p in paths if not _portrait_version(p)]
        rng = np.random.default_rng(20261122)
        chosen = _unlike([paths[i] for i in rng.permutation(len(paths))])
        listed.write_text(json.dumps([[str(p.relative_to(cache)) for p in group] for group in chosen]))
    return [[cache / name for name in group] for group in json.loads(listed.read_text())]


def _portrait_version(path: Path) -> bool:
    height, width = read_image(path).shape[:2]
    return path.parent.name == "plasma" and height > width


def _unlike(paths: list[Path]) -> list[list[Path]]:
    with ThreadPoolExecutor(2) as pool:
        thumbs = np.stack(list(pool.map(_thumbs, paths)))
    kept: list[list[Path]] = []
    stems: set[str] = set()
    vectors = np.zeros((2, 0, 32 * 32), np.float32)
    for path, both in zip(paths, thumbs):
        near = np.logical_or(*(_likeness(seen, thumb) > ALIKE for seen, thumb in zip(vectors, both)))
        if not near.any():
            if path.parent.name == "clipart" and path.name.split("__")[-1] in stems:
                continue
            stems.add(path.name.split("__")[-1])
            kept.append([path])
            vectors = np.concatenate([vectors, both[:, None]], axis=1)
        elif near.sum() == 1 and _preview(kept[int(near.argmax())], path):
            kept[int(near.argmax())].append(path)
    return kept


def _preview(first: list[Path], path: Path) -> bool:
    """Is this the same wallpaper in another size?"""
    one = first[0]
    alike = one.parent == path.parent and _wallpaper(one) == _wallpaper(path) and len(first) == 1
    return alike and path.parent.name == "plasma" and ("dark" in one.name) == ("dark" in path.name)


def _likeness(seen: np.ndarray, thumb: np.ndarray) -> np.ndarray:
    """Best correlation with each of those seen, over the eight flips and turns."""
    square = thumb.reshape(32, 32)
    ways = [np.rot90(each, k).ravel() for each in (square, square[:, ::-1]) for k in range(4)]
    return (seen @ np.stack(ways).T).max(axis=1)


def _thumbs(path: Path) -> np.ndarray:
    """Two of them: of all of the picture, and of what is left without frames and margins."""
    image = read_image(path)
    left, top, right, bottom = content_box(image)
    return np.stack([_thumb(image), _thumb(np.ascontiguousarray(image[top:bottom, left:right]))])


def _thumb(image: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    thumb = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    thumb -= thumb.mean()
    return thumb / max(1e-6, float(np.linalg.norm(thumb)))


def plant(part: str, seed: int, pictures: int) -> Truth:
    """Write (once) the pictures of a part with seeded copies of every kind, and tell the truth about them."""
    folder = CACHE.parent / f"planted-3-{part}-{seed}-{pictures}"
    said = folder / "truth.json"
    if not said.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        groups = [group for group in distinct_pictures() if part_of(group[0]) == part]
        photos_first = sorted(
            rng.permutation(len(groups)), key=lambda i: groups[i][0].parent.name == "clipart"
        )
        jobs = [
            (number, groups[i], int(rng.integers(2**31))) for number, i in enumerate(photos_first[:pictures])
        ]
        with ThreadPoolExecutor(2) as pool:
            rows = [row for some in pool.map(lambda job: _write(folder, *job), jobs) for row in some]
        said.write_text(
            json.dumps([rows[i] for i in rng.permutation(len(rows))])
        )  # no order gives copies away
    rows = json.loads(said.read_text())
    names, picture, kind, source = (list(column) for column in zip(*rows))
    return Truth(folder, names, _wallpapers_joined(picture, source), kind, source)


def _wallpapers_joined(picture: list[int], source: list[str]) -> np.ndarray:
    """Number a wallpaper and its preview as one picture, also where the preview was cut to another shape."""
    first: dict[tuple[str, bool], int] = {}
    one = {}
    for number, name in zip(picture, source):
        if "__contents__" in name:
            one[number] = first.setdefault((name.split("__")[0], "dark" in name), number)
    return np.array([one.get(number, number) for number in picture])


def _write(folder: Path, number: int, group: list[Path], seed: int) -> list[tuple[str, int, str, str]]:
    rng = np.random.default_rng(seed)
    images = [read_image(path) for path in group]
    if rng.random() < WATERMARKED:
        images = [watermark(image) for image in images]
    made = [(f"{number:05d}-{i}.png", encode_png(image), "natural") for i, image in enumerate(images)]
    if rng.random() < COPIED:
        offset = number + int(rng.integers(3))
        for i in range(int(rng.integers(1, 4))):
            kind = list(KINDS)[(offset + 5 * i) % len(KINDS)]
            copy = KINDS[kind](images[0], rng)
            quality = int(rng.integers(85, 96))
            if copy.std() < LEAST_SPREAD:
                continue
            made.append(
                (f"{number:05d}-{kind}.jpg", encode_jpeg(np.ascontiguousarray(copy), quality=quality), kind)
            )
    elif rng.random() < 0.05:
        made.append((f"{number:05d}-bytes.png", made[0][1], "same bytes"))
        made.append((f"{number:05d}-pixels.png", _repacked(images[0]), "same pixels"))
    for name, data, _ in made:
        (folder / name).write_bytes(data)
    return [(name, number, kind, group[0].name) for name, _, kind in made]


def _repacked(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])
