"""Did the camera move? The picture registered against a reference frame: what speeds cannot see, a pan,
shows here.

Patches of the scene that stand still are found again by normalised correlation; the move of most of them is
the camera's. Vehicles, rain and light change some patches, not the median of all.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from okulo.core.checks import check_image
from okulo.core.errors import BadInput

LONGEST = 960
"""Pictures are looked at with at most so many pixels along their longer side."""
PATCH, REACH = 48, 24
"""Side of a patch and how far it is looked for, in those pixels."""
LEAST_CORRELATION = 0.6
LEAST_AGREE = 0.35
"""Share of patches found again below which nothing is said: night, fog, a lorry before the lens."""


@dataclass(frozen=True)
class Move:
    """How the picture lies to the reference."""

    right_px: float
    """Content moved so far to the right (the camera panned left), in pixels of the whole picture."""
    down_px: float
    found: float
    """Share of patches that were found again."""

    @property
    def length_px(self) -> float:
        """How far in all."""
        return float(np.hypot(self.right_px, self.down_px))


@dataclass
class Reference:
    """A picture taken while the camera stood right, and its patches."""

    image: UInt8[np.ndarray, "h w 3"]
    _grey: Float32[np.ndarray, "a b"] = field(init=False, repr=False)
    _corners: Float64[np.ndarray, "n 2"] = field(init=False, repr=False)
    _scale: float = field(init=False)

    def __post_init__(self) -> None:
        check_image(self.image)
        self._grey, self._scale = _edges(self.image)
        self._corners = _patches(self._grey)
        if len(self._corners) < 8:
            raise BadInput(
                "reference",
                f"only {len(self._corners)} places in it can be found again",
                hint="is it dark, or blank?",
            )

    def move(self, image: UInt8[np.ndarray, "h w 3"]) -> Move:
        """Say how `image` lies to the reference; another size is BadInput."""
        if image.shape != self.image.shape:
            h, w = self.image.shape[:2]
            raise BadInput(
                "image", wanted=f"{w}×{h} pixels as the reference", got=f"{image.shape[1]}×{image.shape[0]}"
            )
        grey, _ = _edges(image)
        moves = []
        for x, y in self._corners.astype(int):
            patch = self._grey[y : y + PATCH, x : x + PATCH]
            around = grey[y - REACH : y + PATCH + REACH, x - REACH : x + PATCH + REACH]
            like = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
            _, best, _, at = cv2.minMaxLoc(like)
            if best >= LEAST_CORRELATION:
                moves.append(
                    (
                        at[0] - REACH + _between(like[at[1]], at[0]),
                        at[1] - REACH + _between(like[:, at[0]], at[1]),
                    )
                )
        if not moves:
            return Move(0.0, 0.0, 0.0)
        every = np.array(moves)
        middle = np.median(every, axis=0)
        agree = np.linalg.norm(every - middle, axis=1) <= 1.5
        right, down = every[agree].mean(axis=0) / self._scale if agree.any() else middle / self._scale
        return Move(float(right), float(down), float(agree.sum() / len(self._corners)))


def _edges(image: UInt8[np.ndarray, "h w 3"]) -> tuple[Float32[np.ndarray, "a b"], float]:
    """Grey, small, and without its slow parts, so that light and shade say little; and the scale."""
    scale = min(1.0, LONGEST / max(image.shape[:2]))
    grey: np.ndarray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), 8)), scale


def _patches(grey: Float32[np.ndarray, "a b"]) -> Float64[np.ndarray, "n 2"]:
    """Upper left corners of up to 60 patches with structure in both directions, well spread."""
    inner = np.zeros(grey.shape, np.uint8)
    rim = REACH + PATCH // 2 + 1
    inner[rim:-rim, rim:-rim] = 1
    if not inner.any() or not np.ptp(grey):
        return np.zeros((0, 2))
    found: np.ndarray | None = cv2.goodFeaturesToTrack(grey, 60, 0.02, PATCH // 2, mask=inner, blockSize=9)
    return np.zeros((0, 2)) if found is None else np.rint(found[:, 0].astype(np.float64)) - PATCH // 2


def _between(line: np.ndarray, at: int) -> float:
    """Where between pixels the top of a parabola through the best and its neighbours lies."""
    if not 0 < at < len(line) - 1:
        return 0.0
    a, b, c = (float(line[at + k]) for k in (-1, 0, 1))
    bend = a - 2 * b + c
    return 0.0 if bend >= 0 else float(np.clip((a - c) / (2 * bend), -0.5, 0.5))


@dataclass
class ShiftWatch:
    """Hears frames now and then, says when the camera moved: several in a row must agree."""

    reference: Reference
    least_px: float = 3.0
    """A move from which on speeds are no longer to be trusted."""
    in_a_row: int = 3
    _moves: list[Move] = field(default_factory=list)
    unsure: int = 0
    """Frames of which nothing could be said."""

    def hear(self, image: UInt8[np.ndarray, "h w 3"]) -> Move | None:
        """Take in a frame; gives the move once it is sure."""
        move = self.reference.move(image)
        if move.found < LEAST_AGREE:
            self.unsure += 1
            return None
        self._moves = [*self._moves, move][-self.in_a_row :]
        if len(self._moves) < self.in_a_row or min(each.length_px for each in self._moves) < self.least_px:
            return None
        right, down = (
            float(np.median([getattr(each, name) for each in self._moves]))
            for name in ("right_px", "down_px")
        )
        together = max(abs(each.right_px - right) + abs(each.down_px - down) for each in self._moves)
        return Move(right, down, min(each.found for each in self._moves)) if together <= 3 else None
