"""Where on the road a pixel lies: a rectangle of known size, marked in the picture by its four corners.

Ground coordinates are metres: x across the road from the rectangle's near left corner to its near right one,
y along the road away from the camera.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from okulo.algo.homography import check_quadrilateral, depth, fit_homography, jacobian, project
from okulo.apps.speed.lens import HIGHEST, LOWEST, bend, straighten
from okulo.core.errors import BadInput
from okulo.io.files import read_json, write_json

FORMAT = "okulo calibration 1"
CORNERS = ("near left", "near right", "far right", "far left")
Pair = tuple[float, float]
BENT = 16
"""Where the lens bends, a line of the grid is drawn in so many parts."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Four corners of a rectangle on the road in pixels, its size in metres, and more known points if there
    are.

    >>> road = Calibration(corners_px=((0, 100), (100, 100), (70, 50), (30, 50)), width_m=7, length_m=20,
    ...                    frame_px=(100, 120))
    >>> road.ground(np.array([[50.0, 100.0], [50.0, 50.0]])).round(3).tolist()
    [[3.5, 0.0], [3.5, 20.0]]
    """

    corners_px: tuple[Pair, Pair, Pair, Pair]
    """Near left, near right, far right, far left, as seen in the picture."""
    width_m: float
    """From left to right."""
    length_m: float
    """From near to far."""
    frame_px: tuple[int, int]
    """Width and height of the picture the corners were marked in."""
    more: tuple[tuple[float, float, float, float], ...] = ()
    """Further known points: pixel x, y and ground x, y in metres."""
    click_px: float = 1.0
    """How exactly the points were marked (standard deviation)."""
    lens: float = 0.0
    """How the lens bends straight lines: k of `lens.bend`; 0: not at all."""
    fingerprint: str = field(default="", compare=False)
    """Name of the frame they were marked in, for the reader only."""

    def __post_init__(self) -> None:
        check_quadrilateral("corners", np.array(self.corners_px, float))
        for name in ("width_m", "length_m"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise BadInput(name.replace("_", "-"), wanted="metres above 0", got=value)
        if min(self.frame_px) < 1:
            raise BadInput("frame", wanted="a size in pixels", got=self.frame_px)
        if not (np.isfinite(self.click_px) and self.click_px >= 0):
            raise BadInput("click-px", wanted="pixels ≥ 0", got=self.click_px)
        if self.more and not np.isfinite(self.more).all():
            raise BadInput("points", wanted="finite numbers", got=list(self.more))
        if not LOWEST <= self.lens <= HIGHEST:
            raise BadInput("lens", wanted=f"{LOWEST} to {HIGHEST}", got=self.lens)
        if self._span(self.horizon_side) <= 0:
            raise BadInput(
                "corners", "the horizon runs through the rectangle", hint="check their order and the size"
            )

    def _span(self, side: float) -> float:
        return float((depth(self.H, self._straight(self.pixels)) * side).min())

    def _straight(self, pixels: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        return straighten(pixels, self.frame_px, self.lens)

    @cached_property
    def pixels(self) -> Float64[np.ndarray, "n 2"]:
        """All marked points."""
        return np.concatenate(
            [np.array(self.corners_px, float), np.array(self.more, float).reshape(-1, 4)[:, :2]]
        )

    @cached_property
    def metres(self) -> Float64[np.ndarray, "n 2"]:
        """Where they lie."""
        w, l = self.width_m, self.length_m  # noqa: E741
        corners = np.array([[0, 0], [w, 0], [w, l], [0, l]], float)
        return np.concatenate([corners, np.array(self.more, float).reshape(-1, 4)[:, 2:]])

    @cached_property
    def H(self) -> Float64[np.ndarray, "3 3"]:
        """Pixels (of a lens that does not bend) to metres; errors are least in the picture, not on it."""
        made = np.linalg.inv(fit_homography(self.metres, self._straight(self.pixels)))
        return np.asarray(made / np.abs(made).max())

    @cached_property
    def horizon_side(self) -> float:
        """Sign that `depth` has on the road."""
        middle = self._straight(np.array([np.mean(self.corners_px, axis=0)]))
        return float(np.sign(depth(self.H, middle)[0]))

    def ground(self, pixels: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Metres of pixels; NaN from the horizon on."""
        made = project(self.H, self._straight(pixels))
        made[~self.seen(pixels)] = np.nan
        return made

    def seen(self, pixels: Float64[np.ndarray, "n 2"]) -> Bool[np.ndarray, " n"]:
        """Whether a pixel can show the road: it lies this side of the horizon."""
        return np.asarray(depth(self.H, self._straight(pixels)) * self.horizon_side > 0)

    def metres_a_pixel(self, pixels: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2 2"]:
        """How far the ground point moves when the pixel does."""
        if self.lens == 0:
            return jacobian(self.H, pixels)
        steps = [
            project(self.H, self._straight(pixels + by)) for by in np.vstack([np.eye(2), -np.eye(2)]) / 2
        ]
        return np.stack([steps[0] - steps[2], steps[1] - steps[3]], axis=2)

    def picture(self, metres: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Pixels of ground points; NaN for those behind the camera."""
        back = np.linalg.inv(self.H)
        made = project(back, metres)
        ahead = depth(back, metres) * np.sign(depth(back, self.metres[:4]).mean()) > 0
        made[~ahead] = np.nan
        return bend(made, self.frame_px, self.lens) if self.lens else made

    def errors_px(self) -> Float64[np.ndarray, " n"]:
        """How far each marked point lies from where the fitted plane puts it; 0 where there are just four."""
        return np.asarray(np.linalg.norm(self.picture(self.metres) - self.pixels, axis=1))

    def error_px(self) -> float:
        """Root mean square of these, over the freedom left: how far off the marks or the sizes are."""
        left = 2 * len(self.pixels) - 8
        return float(np.sqrt((self.errors_px() ** 2).sum() / left)) if left else 0.0

    def scaled(self, frame_px: tuple[int, int]) -> "Calibration":
        """The same for the camera's picture in another size; another shape is BadInput."""
        if frame_px == self.frame_px:
            return self
        sx, sy = frame_px[0] / self.frame_px[0], frame_px[1] / self.frame_px[1]
        if abs(sx / sy - 1) > 0.01:
            raise BadInput(
                "calibration",
                f"was made for a picture of {_size(self.frame_px)}, this is {_size(frame_px)}",
                hint="is it another camera? calibrate on a frame of this video",
            )
        a, b, c, d = ((x * sx, y * sy) for x, y in self.corners_px)
        more = tuple((x * sx, y * sy, X, Y) for x, y, X, Y in self.more)
        return replace(
            self, corners_px=(a, b, c, d), more=more, frame_px=frame_px, click_px=self.click_px * sx
        )


def _size(frame_px: tuple[int, int]) -> str:
    return f"{frame_px[0]}×{frame_px[1]}"


def grid(calibration: Calibration, cells: int = 6, *, along: str = "x") -> list[Float64[np.ndarray, "2 2"]]:
    """Lines of a grid over the rectangle in pixels: `cells` along x (or y), the other side in proportion.

    >>> corners = ((0, 100), (100, 100), (70, 50), (30, 50))
    >>> road = Calibration(corners_px=corners, width_m=6, length_m=12, frame_px=(100, 120))
    >>> len(grid(road, cells=3))  # 4 along the road, 7 across it
    11
    """
    if cells < 1:
        raise BadInput("cells", wanted="1 or more", got=cells)
    width, length = calibration.width_m, calibration.length_m
    side = (width if along == "x" else length) / cells
    across, deep = max(1, round(width / side)), max(1, round(length / side))
    if max(across, deep) > 500:
        raise BadInput("cells", f"would make {across}×{deep} cells", hint="take fewer, or check the sizes")
    lines = [((x, 0.0), (x, length)) for x in np.linspace(0, width, across + 1)]
    lines += [((0.0, y), (width, y)) for y in np.linspace(0, length, deep + 1)]
    parts = BENT if calibration.lens else 1
    drawn = []
    for first, last in lines:
        share = np.linspace(0, 1, parts + 1)[:, None]
        points = calibration.picture((1 - share) * np.array(first) + share * np.array(last))
        drawn += [points[i : i + 2] for i in range(parts)]
    return drawn


def as_json(calibration: Calibration) -> dict[str, Any]:
    """What the file holds; the numbers that were given, and the map made of them for other programs."""
    return {
        "format": FORMAT,
        "frame_px": list(calibration.frame_px),
        "corners_px": dict(zip(CORNERS, [list(each) for each in calibration.corners_px])),
        "width_m": calibration.width_m,
        "length_m": calibration.length_m,
        "points": [{"px": [x, y], "m": [X, Y]} for x, y, X, Y in calibration.more],
        "click_px": calibration.click_px,
        "lens": calibration.lens,
        "frame": calibration.fingerprint,
        "error_px": round(calibration.error_px(), 3),
        "homography": calibration.H.tolist(),
    }


def save(calibration: Calibration, path: Path) -> None:
    """Write the file, whole or not at all."""
    write_json(path, as_json(calibration))


def from_json(said: Any, name: str = "calibration") -> Calibration:
    """Read what `as_json` gives; what is missing or no number is BadInput that says so."""
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        got = said.get("format", "no format") if isinstance(said, dict) else type(said).__name__
        raise BadInput(
            name,
            wanted=f"a file of format {FORMAT!r}",
            got=repr(got),
            hint="`okulo speed calibrate` makes one",
        )
    try:
        corners = said["corners_px"]
        a, b, c, d = (_pair(corners[each]) for each in CORNERS)
        width, height = said["frame_px"]
        return Calibration(
            corners_px=(a, b, c, d),
            width_m=float(said["width_m"]),
            length_m=float(said["length_m"]),
            frame_px=(int(width), int(height)),
            more=tuple((*_pair(each["px"]), *_pair(each["m"])) for each in said.get("points", [])),
            click_px=float(said.get("click_px", 1.0)),
            lens=float(said.get("lens", 0.0)),
            fingerprint=str(said.get("frame", "")),
        )
    except KeyError as error:
        raise BadInput(name, f"{error.args[0]!r} is missing") from error
    except (TypeError, ValueError) as error:
        raise BadInput(name, f"holds something that is no number ({error})") from error


def _pair(said: Any) -> Pair:
    x, y = said
    return float(x), float(y)


def load(path: Path) -> Calibration:
    """Read a calibration file."""
    return from_json(read_json(path), str(path))
