"""Darknet itself as the truth: Debian's libdarknet through ctypes, and weights drawn at random for a cfg."""

import ctypes
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tests.outside import missing

from okulo.export.darknet.cfg import Section, read_cfg

LIBRARY = Path("/usr/lib/darknet/libdarknet.so")
CFGS = Path("/usr/share/darknet/cfg")
PICTURES = Path("/usr/share/darknet/data")


class Picture(ctypes.Structure):
    """`image` of darknet.h."""

    _fields_ = (
        ("w", ctypes.c_int), ("h", ctypes.c_int), ("c", ctypes.c_int),
        ("data", ctypes.POINTER(ctypes.c_float)),
    )  # fmt: skip


class Box(ctypes.Structure):
    """`box` of darknet.h: centre and sides."""

    _fields_ = tuple((name, ctypes.c_float) for name in "xywh")


class Found(ctypes.Structure):
    """`detection` of darknet.h."""

    _fields_ = (
        ("bbox", Box), ("classes", ctypes.c_int), ("prob", ctypes.POINTER(ctypes.c_float)),
        ("mask", ctypes.POINTER(ctypes.c_float)), ("objectness", ctypes.c_float),
        ("sort_class", ctypes.c_int),
    )  # fmt: skip


class Darknet:
    """A network in libdarknet."""

    def __init__(self, cfg: Path, weights: Path) -> None:
        if not LIBRARY.is_file():
            missing("libdarknet", "apt-get install darknet")
        # Built with -Ofast, it makes the thread that loads it take the smallest floats for 0 from then on.
        with ThreadPoolExecutor(1) as apart:
            lib = self.lib = apart.submit(ctypes.CDLL, str(LIBRARY)).result()
        lib.load_network.restype = ctypes.c_void_p
        lib.load_network.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
        lib.set_batch_network.argtypes = [ctypes.c_void_p, ctypes.c_int]
        lib.network_predict.restype = ctypes.POINTER(ctypes.c_float)
        lib.network_predict.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_float)]
        lib.letterbox_image.restype = lib.resize_image.restype = Picture
        lib.letterbox_image.argtypes = lib.resize_image.argtypes = [Picture, ctypes.c_int, ctypes.c_int]
        lib.free_image.argtypes = [Picture]
        lib.get_network_boxes.restype = ctypes.POINTER(Found)
        lib.get_network_boxes.argtypes = [
            ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_float, ctypes.c_float,
            ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int),
        ]  # fmt: skip
        lib.do_nms_sort.argtypes = [ctypes.POINTER(Found), ctypes.c_int, ctypes.c_int, ctypes.c_float]
        lib.free_detections.argtypes = [ctypes.POINTER(Found), ctypes.c_int]
        lib.free_network.argtypes = [ctypes.c_void_p]
        lib.network_width.argtypes = lib.network_height.argtypes = [ctypes.c_void_p]
        self.net = lib.load_network(str(cfg).encode(), str(weights).encode(), 0)
        lib.set_batch_network(self.net, 1)
        self.size = lib.network_height(self.net), lib.network_width(self.net)

    def close(self) -> None:
        self.lib.free_network(self.net)

    def picture(self, image: np.ndarray, *, letterbox: bool = True) -> np.ndarray:
        """Bring RGB bytes to the network's size as Darknet does."""
        planes = np.ascontiguousarray((image.transpose(2, 0, 1) / 255.0).astype(np.float32))
        given = Picture(
            image.shape[1], image.shape[0], 3, planes.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        )
        change = self.lib.letterbox_image if letterbox else self.lib.resize_image
        made = change(given, self.size[1], self.size[0])
        pixels = np.ctypeslib.as_array(made.data, (3, made.h, made.w)).copy()
        self.lib.free_image(made)
        return pixels

    def predict(self, pixels: np.ndarray, count: int) -> np.ndarray:
        """Run the network: the first `count` numbers of its last layer."""
        pixels = np.ascontiguousarray(pixels, np.float32)
        said = self.lib.network_predict(self.net, pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_float)))
        return np.ctypeslib.as_array(said, (count,)).copy()

    def boxes(
        self, height: int, width: int, threshold: float, classes: int, overlap: float | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """What was found: boxes (centre, sides; shares of the picture) and scores for each class."""
        count = ctypes.c_int(0)
        found = self.lib.get_network_boxes(
            self.net, width, height, threshold, 0.5, None, 1, ctypes.byref(count)
        )
        n = count.value
        if overlap is not None:
            self.lib.do_nms_sort(found, n, classes, overlap)
        boxes = np.array([[getattr(found[i].bbox, name) for name in "xywh"] for i in range(n)], np.float32)
        scores = np.array([np.ctypeslib.as_array(found[i].prob, (classes,)) for i in range(n)], np.float32)
        self.lib.free_detections(found, n)
        return boxes.reshape(n, 4), scores.reshape(n, classes)


def cfg_of(name: str, folder: Path, thin: int = 1, **options: int) -> Path:
    """Copy one of Darknet's own cfgs, some options of `[net]` changed, every `thin`-th filter kept.

    Where filters stand for boxes (no power of two) all are kept: the networks differ in their width only.
    """
    source = CFGS / f"{name}.cfg"
    if not source.is_file():
        missing("Darknet's cfg files", "apt-get install darknet")
    lines = source.read_text().splitlines()
    end = next(i for i, line in enumerate(lines[1:], 1) if line.startswith("["))
    net = [line for line in lines[:end] if line.partition("=")[0].strip() not in options]
    path = folder / f"{name}.cfg"
    layers = [_thinner(line, thin) for line in lines[end:]]
    path.write_text("\n".join([*net, *(f"{key}={value}" for key, value in options.items()), *layers]))
    return path


def _thinner(line: str, thin: int) -> str:
    key, _, value = (part.strip() for part in line.partition("="))
    if key != "filters" or int(value).bit_count() > 1:
        return line
    return f"filters={max(4, int(value) // thin)}"


def random_weights(cfg: Path, path: Path, seed: int = 0, major: int = 0, minor: int = 2) -> Path:
    """Write weights for a cfg, drawn so that numbers neither grow nor vanish from layer to layer."""
    rng = np.random.default_rng(seed)
    net, *sections = read_cfg(cfg)
    shapes: list[tuple[int, int, int]] = []
    gain = 0.5 if any(each.kind == "shortcut" for each in sections) else 1.7
    before = (3, net.whole("height", 0), net.whole("width", 0))
    parts: list[np.ndarray] = []
    for section in sections:
        before, some = _layer(section, before, shapes, rng, gain)
        shapes.append(before)
        parts += some
    head = struct.pack("<iii", major, minor, 0) + (b"\0" * (8 if major * 10 + minor >= 2 else 4))
    path.write_bytes(head + np.concatenate(parts).astype("<f4").tobytes())
    return path


def _layer(
    section: Section,
    before: tuple[int, int, int],
    shapes: list[tuple[int, int, int]],
    rng: np.random.Generator,
    gain: float,
) -> tuple[tuple[int, int, int], list[np.ndarray]]:
    c, h, w = before
    kind, size, stride = section.kind, section.whole("size", 1), section.whole("stride", 1)
    out = section.whole("filters", 1)
    pad = size // 2 if section.whole("pad", 0) else 0
    norm = section.whole("batch_normalize", 0)

    def bias_and_norm(n: int) -> tuple[np.ndarray, list[np.ndarray]]:
        norms = [rng.uniform(0.7, 1.3, n), rng.normal(0, 0.3, n), rng.uniform(0.6, 1.4, n)] if norm else []
        return rng.normal(0, 0.2, n), norms

    if kind in ("convolutional", "local"):
        high, wide = (h + 2 * pad - size) // stride + 1, (w + 2 * pad - size) // stride + 1
        inside = c // section.whole("groups", 1) * size * size
        spread = np.sqrt(gain / inside)
        if kind == "local":
            return (out, high, wide), [
                rng.normal(0, 0.2, out * high * wide), rng.normal(0, spread, high * wide * out * inside)
            ]  # fmt: skip
        bias, norms = bias_and_norm(out)
        return (out, high, wide), [bias, *norms, rng.normal(0, spread, out * inside)]
    if kind == "connected":
        n = section.whole("output", 1)
        bias, norms = bias_and_norm(n)
        return (n, 1, 1), [bias, rng.normal(0, np.sqrt(0.3 / (c * h * w)), n * c * h * w), *norms]
    if kind == "maxpool":
        padding = section.whole("padding", size - 1)
        return (c, (h + padding - size) // stride + 1, (w + padding - size) // stride + 1), []
    if kind == "upsample":
        return (c, h * stride, w * stride), []
    if kind == "reorg":
        return (c * stride**2, h // stride, w // stride), []
    if kind == "avgpool":
        return (c, 1, 1), []
    if kind == "route":
        places = [int(each) for each in section.numbers("layers")]
        some = [shapes[place] for place in places]
        return (sum(each[0] for each in some), *some[0][1:]), []
    return before, []
