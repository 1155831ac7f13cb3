"""`okulo speed calibrate`: four corners and two sizes, marked on a page or given as options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from okulo.apps.speed.calibration import CORNERS, FORMAT, Calibration, as_json, from_json, grid, load, save
from okulo.apps.speed.draw import draw_grid
from okulo.core.errors import BadInput
from okulo.core.params import Params, param
from okulo.core.protocols import Progress, silent
from okulo.io.files import write_aside
from okulo.io.images import SUFFIXES, encode_png, read_image
from okulo.io.video import open_video


@dataclass(frozen=True, kw_only=True)
class CalibrateParams(Params):
    """Mark a rectangle of known size on the road, on a page or by six options."""

    frame: Path = param(help="a picture of the camera, or its video", positional=True)
    output: Path = param(Path("calibration.json"), help="the calibration", short="o")
    near_left: str = param(
        "", help="pixel of the rectangle's corner, as x,y; with all six given no page opens"
    )
    near_right: str = param("", help="as x,y")
    far_right: str = param("", help="as x,y")
    far_left: str = param("", help="as x,y")
    width_m: float | None = param(None, help="metres from left to right")
    length_m: float | None = param(None, help="metres from near to far")
    point: tuple[str, ...] = param(
        (), help="one more known point, as x,y=X,Y: pixel, and metres from near left; again for others"
    )
    click_px: float = param(1.0, help="how exactly the points are marked, pixels", low=0)
    lens: float = param(
        0.0, help="bend of the lens: r becomes r·(1 + this·r²), r in half diagonals; below 0 for a barrel",
        low=-0.3, high=1,
    )  # fmt: skip
    at_s: float = param(0.0, help="second of the video whose frame is taken", low=0)
    grid: Path | None = param(None, help="also write the picture with the grid laid over it (PNG)")
    host: str = param("127.0.0.1", help="address of the page; any but loopback asks for a token")
    port: int = param(8101, help="port of the page; 0 takes a free one", low=0, high=65535)
    open: bool = param(False, help="open the page in the browser")


@dataclass(frozen=True)
class CalibrateReport:
    """What was marked."""

    file: Path
    saved: bool
    """Whether there is one now."""
    points: int
    width_m: float | None
    length_m: float | None
    error_px: float | None
    """Of marked points to the plane; None with just four, which always fit."""
    far_m_a_px: float | None
    """How many metres along the road one pixel is, at the rectangle's far side."""
    click_share: float | None
    """By how much of itself a speed may be off because of unsteady marking (standard deviation)."""
    grid: Path | None


@dataclass(frozen=True)
class Desk:
    """What the page works with: the picture, where to begin, and what to do with what is marked."""

    image: UInt8[np.ndarray, "h w 3"]
    start: Mapping[str, Any]
    check: Callable[[Mapping[str, Any]], dict[str, Any]]
    save: Callable[[Mapping[str, Any]], dict[str, Any]]


def run(
    params: CalibrateParams, progress: Progress = silent, *, page: Callable[[Desk], None] | None = None
) -> CalibrateReport:
    """Write a calibration of the options, or let `page` have it marked."""
    del progress
    image = read_frame(params.frame, params.at_s)
    size = (image.shape[1], image.shape[0])
    name = blake2b(image.tobytes(), digest_size=8).hexdigest()
    made = from_options(params, size)
    if made is not None:
        made = replace(made, fingerprint=name)
        save(made, params.output)
    elif page is not None:
        page(desk(params, image, name))
        made = load(params.output) if params.output.exists() else None
    if made is not None and params.grid is not None:
        drawn = draw_grid(image, made.scaled(size), strength=0.8)
        with write_aside(params.grid) as aside:
            aside.write_bytes(encode_png(drawn))
    return _report(params, made)


def read_frame(path: Path, at_s: float) -> UInt8[np.ndarray, "h w 3"]:
    """Read a picture, or one frame of a video."""
    if path.suffix.lower() in SUFFIXES:
        return read_image(path)
    with open_video(path) as video:
        for frame in video.frames():
            if frame.time_s >= at_s:
                return frame.image
    raise BadInput("at-s", wanted=f"a second of {path}", got=at_s, hint="it ends before")


def from_options(params: CalibrateParams, size: tuple[int, int]) -> Calibration | None:
    """The calibration the options give; None where none of the six is given."""
    names = ("near_left", "near_right", "far_right", "far_left")
    given = {name: getattr(params, name) for name in (*names, "width_m", "length_m")}
    lacks = [f"--{name.replace('_', '-')}" for name, value in given.items() if value in ("", None)]
    if len(lacks) == len(given) and not params.point:
        return None
    if lacks:
        raise BadInput(
            "calibration", f"{', '.join(lacks)} is missing", hint="give all six, or none for the page"
        )
    a, b, c, d = (_pair(name.replace("_", "-"), given[name]) for name in names)
    return Calibration(
        corners_px=(a, b, c, d),
        width_m=given["width_m"],
        length_m=given["length_m"],
        frame_px=size,
        more=tuple(_known(each) for each in params.point),
        click_px=params.click_px,
        lens=params.lens,
    )


def _pair(name: str, said: str) -> tuple[float, float]:
    """Two numbers.

    >>> _pair("near-left", "100, 800.5")
    (100.0, 800.5)
    """
    try:
        x, y = (float(each) for each in said.split(","))
    except ValueError as error:
        raise BadInput(name, wanted="x,y", got=repr(said)) from error
    return x, y


def _known(said: str) -> tuple[float, float, float, float]:
    pixel, equals, metres = said.partition("=")
    if not equals:
        raise BadInput("point", wanted="x,y=X,Y (pixel, metres)", got=repr(said))
    return (*_pair("point", pixel), *_pair("point", metres))


def desk(params: CalibrateParams, image: UInt8[np.ndarray, "h w 3"], name: str) -> Desk:
    """Put together what the page needs."""
    height, width = image.shape[:2]

    def read(said: Mapping[str, Any]) -> Calibration:
        whole = {
            **said,
            "format": FORMAT,
            "frame_px": [width, height],
            "frame": name,
            "click_px": params.click_px,
            "lens": params.lens,
        }
        return from_json(whole, "page")

    def check(said: Mapping[str, Any]) -> dict[str, Any]:
        made = read(said)
        lines = grid(made, int(said.get("cells", 6)), along=str(said.get("along", "x")))
        return {
            "lines": [line.round(2).tolist() for line in lines],
            "errors_px": made.errors_px().round(2).tolist(),
            "error_px": round(made.error_px(), 2) if made.more else None,
            "far_m_a_px": round(far_m_a_px(made), 3),
            "click_share": round(click_share(made), 4),
        }

    def keep(said: Mapping[str, Any]) -> dict[str, Any]:
        save(read(said), params.output)
        return {"file": str(params.output)}

    return Desk(image, _start(params, width, height), check, keep)


def _start(params: CalibrateParams, width: int, height: int) -> dict[str, Any]:
    """Begin with what the file holds, if it is of this picture's shape; else in the middle."""
    begin: dict[str, Any] = {}
    if params.output.exists():
        try:
            begin = as_json(load(params.output).scaled((width, height)))
        except BadInput:  # another camera's: begin anew, the file is overwritten only when it is saved
            begin = {}
    if not begin:
        shares = ((0.3, 0.85), (0.7, 0.85), (0.58, 0.55), (0.42, 0.55))
        begin = {
            "corners_px": {
                name: [round(x * width), round(y * height)] for name, (x, y) in zip(CORNERS, shares)
            },
            "width_m": params.width_m or 7.0,
            "length_m": params.length_m or 20.0,
            "points": [],
        }
    return {**begin, "frame_px": [width, height], "corners": list(CORNERS), "file": str(params.output)}


def far_m_a_px(calibration: Calibration) -> float:
    """Metres along the road in a pixel at the far side: where a pixel is most."""
    far = np.array([np.mean(np.array(calibration.corners_px)[2:], axis=0)])
    return float(np.linalg.norm(calibration.metres_a_pixel(far)[0] @ np.array([0.0, 1.0])))


def click_share(calibration: Calibration) -> float:
    """Relative uncertainty of a length along the rectangle's middle, from unsteady marking."""
    from okulo.apps.speed.ground import nudged

    middle = calibration.width_m / 2
    ends = calibration.picture(np.array([[middle, 0.0], [middle, calibration.length_m]]))
    off = [
        np.linalg.norm(np.diff(each.ground(ends), axis=0)) / calibration.length_m - 1
        for each in nudged(calibration)
    ]
    return float(np.sqrt(np.square(off).sum()))


def _report(params: CalibrateParams, made: Calibration | None) -> CalibrateReport:
    return CalibrateReport(
        file=params.output,
        saved=made is not None,
        points=len(made.pixels) if made else 0,
        width_m=made.width_m if made else None,
        length_m=made.length_m if made else None,
        error_px=made.error_px() if made and made.more else None,
        far_m_a_px=far_m_a_px(made) if made else None,
        click_share=click_share(made) if made else None,
        grid=params.grid if made else None,
    )
