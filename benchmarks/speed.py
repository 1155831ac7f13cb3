"""Errors of speed estimators on simulated traffic, honesty of their intervals, and how soon a moved camera
is told.

    python benchmarks/speed.py                                  (about two minutes)
    python benchmarks/speed.py --parts estimators --cases 1 2   (columns of the table; the others stay)
    python benchmarks/speed.py --parts estimators --cases 1 --first-seed 8 --seeds 12   (other clicks)

Each case and each part is written as soon as it is measured.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from machine import read_results, write_results
from okulo.apps.speed.estimate import NINETY, estimate, learn_noise
from okulo.apps.speed.ground import Ground, stand
from okulo.apps.speed.render import empty_road, render
from okulo.apps.speed.rule import rule_speeds
from okulo.apps.speed.shift import Reference, ShiftWatch
from okulo.apps.speed.simulate import Camera, Traffic, bumped, drive, simulate
from okulo.apps.speed.watch import Watch, simulate_hours
from okulo.io.video import open_video

KMH = 3.6
VTEST = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
"""A camera that stands still, of Debian's opencv-doc."""
EASY = Traffic()
HARD = Traffic(acceleration_mps2=1.0, drift=0.015)
CASES: dict[str, tuple[Traffic, float, int]] = {
    "white jitter": (EASY, 0.0, 0),
    "acceleration, drift, 2-px clicks": (HARD, 2.0, 0),
    "the same, 6 more known points": (HARD, 2.0, 6),
    "the same, true calibration": (HARD, 0.0, 0),
    "white jitter, 30 % of frames dropped": (Traffic(dropped=0.3, uneven=0.5), 0.0, 0),
}
"""The traffic, by how much clicks are off (pixels), how many known points more than four."""
Row = dict[str, list[float]]


def slopes(ground: Ground, window_s: float, weighted: bool = False) -> np.ndarray:
    """Least-squares slope of the last `window_s` (or, infinite, of the whole track)."""
    made = np.full(len(ground), np.nan)
    for a, b in zip(ground.starts[:-1], ground.starts[1:]):
        for k in [b - 1] if np.isinf(window_s) else range(a, b, 5):
            first = max(a, int(np.searchsorted(ground.time_s[a:b], ground.time_s[k] - window_s)) + a)
            if k - first < 3:
                continue
            t, part = ground.time_s[first : k + 1], slice(first, k + 1)
            weight = 1 / ground.unit_m[part] if weighted else np.ones((k + 1 - first, 2))
            v = [np.polyfit(t - t[0], ground.metres[part, i], 1, w=weight[:, i])[0] for i in range(2)]
            made[slice(a, b) if np.isinf(window_s) else k] = np.hypot(*v)
    return made


def centre_speeds(driven, calibration) -> np.ndarray:
    """What comes of the box's middle instead of where it touches the road: the rule, 10 and 3."""
    tracks = driven.tracks
    lifted = tracks.xyxy.copy()
    lifted[:, 3] = (lifted[:, 1] + lifted[:, 3]) / 2
    ground = stand(replace(tracks, xyxy=lifted), calibration)
    speed = rule_speeds(ground, every=10, average=3)
    good = ~np.isnan(speed)
    return (speed - driven.speed_mps[ground.row])[good] * KMH


def one(seed: int, traffic: Traffic, clicks_px: float, more: int, rows: dict[str, Row]) -> None:
    rng = np.random.default_rng(seed)
    camera = Camera()
    calibration = camera.calibration(rng, clicks_px=clicks_px, more=more)
    earlier = stand(simulate(camera, Traffic(**{**vars(traffic), "vehicles": 30}), rng).tracks, calibration)
    driven = simulate(camera, traffic, rng)
    ground = stand(driven.tracks, calibration)
    true = driven.speed_mps[ground.row]
    age = ground.time_s - np.repeat(ground.time_s[ground.starts[:-1]], np.diff(ground.starts))

    def note(name: str, speed: np.ndarray, sd: np.ndarray | None = None, warm: float = 1.0) -> None:
        good = ~np.isnan(speed) & (age >= warm)
        off = (speed - true)[good] * KMH
        row = rows.setdefault(name, {"error": [], "bias": [], "covered": []})
        row["error"].append(float(np.abs(off).mean()))
        row["bias"].append(float(off.mean()))
        if sd is not None:
            row["covered"].append(float((np.abs(speed - true)[good] < NINETY * sd[good]).mean()))

    for every, average in ((1, 1), (5, 5), (10, 3)):
        note(f"rule: every {every}, average of {average}", rule_speeds(ground, every=every, average=average))
    note("slope over the last second", slopes(ground, 1.0))
    live, _ = estimate(ground, calibration, learn_noise(earlier))
    note("okulo live (noise of 30 earlier vehicles)", live.live, live.live_sd)
    speeds, means = estimate(ground, calibration, learn_noise(ground))
    note("okulo smooth, at each moment", speeds.smooth, speeds.smooth_sd, warm=0.0)
    note("straight line through the whole track", slopes(ground, np.inf, weighted=True), warm=0.0)
    truth = np.array([true[a:b].mean() for a, b in zip(ground.starts[:-1], ground.starts[1:])])
    row = rows.setdefault("okulo, mean speed of a vehicle", {"error": [], "bias": [], "covered": []})
    row["error"].append(float(np.abs(means.speed - truth).mean() * KMH))
    row["bias"].append(float((means.speed - truth).mean() * KMH))
    row["covered"].append(float((np.abs(means.speed - truth) < NINETY * means.sd).mean()))
    centre = centre_speeds(driven, calibration)
    row = rows.setdefault("rule 10/3 of the box's middle", {"error": [], "bias": [], "covered": []})
    row["error"].append(float(np.abs(centre).mean()))
    row["bias"].append(float(centre.mean()))


def estimators(options: argparse.Namespace) -> None:
    for name, (traffic, clicks, more) in [list(CASES.items())[k] for k in options.cases]:
        rows: dict[str, Row] = {}
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            one(seed, traffic, clicks, more, rows)
        said: dict[str, dict[str, float | None]] = {
            each: {key: float(np.mean(values)) if values else None for key, values in row.items()}
            for each, row in rows.items()
        }
        name += f", seeds from {options.first_seed} on" if options.first_seed else ""
        print(f"\n{name:44s} error  bias  in 90 %")
        for each, row in said.items():
            covered = "" if row["covered"] is None else f"{row['covered']:.1%}"
            print(f"  {each:42s} {row['error']:5.2f} {row['bias']:+5.2f}  {covered}")
        keep(options, "estimators", {name: {"seeds": options.seeds, **said}})


def alarms(options: argparse.Namespace, seeds: int = 40) -> None:
    def hear(hours: list) -> list:
        watch = Watch()
        return [alarm for hour in hours if (alarm := watch.hear(*hour)) is not None]

    false = sum(len(hear(simulate_hours(28, np.random.default_rng(seed)))) for seed in range(seeds))
    said: dict[str, object] = {"false in clean days": false, "clean days": 14 * seeds}
    print(f"\nfalse alarms in {seeds} × 14 clean days (after 14 of history): {false}")
    for factor in (1.05, 0.95, 1.1, 0.9):
        took = []
        for seed in range(seeds):
            start = 14 * 24 + int(np.random.default_rng(1000 + seed).integers(24))
            hours = simulate_hours(20, np.random.default_rng(100 + seed), moved_at=start, factor=factor)
            heard = [a.at for a in hear(hours) if a.kind == "camera moved?"]
            took.append(
                (heard[0] - datetime(2026, 5, 1)).total_seconds() / 3600 - start + 1 if heard else np.inf
            )
        said[f"hours to find × {factor}"] = {"median": float(np.median(took)), "most": float(max(took))}
        print(f"speeds × {factor}: found after {np.median(took):.0f} h (median), {max(took):.0f} h at most")
    told = [
        hear(simulate_hours(20, np.random.default_rng(300 + s), jams=(15 * 24 + 8, 15 * 24 + 9)))
        for s in range(seeds)
    ]
    right = sum([a.kind for a in each] == ["traffic jam?"] for each in told)
    said["jams told as jams, alone"] = right / seeds
    print(f"jams of two hours told as a jam and nothing else: {right} of {seeds}")
    keep(options, "alarms", said)


def pans(options: argparse.Namespace) -> None:
    camera, traffic, rng = Camera(), Traffic(vehicles=12, headway_s=0.5), np.random.default_rng(0)
    vehicles = drive(traffic, rng)
    reference = Reference(empty_road(camera, traffic, np.random.default_rng(1)))
    said: dict[str, object] = {}
    for pan in (0.0, 3.0, 10.0, 20.0):
        turned = bumped(camera, pan_px=pan)
        road = empty_road(turned, traffic, np.random.default_rng(1))
        watch, found, last = ShiftWatch(reference), None, 0.0
        for time_s, image in render(turned, traffic, vehicles, rng, background=road):
            last = time_s
            if round(time_s * traffic.fps) % 25 == 0 and found is None:
                move = watch.hear(image)
                found = (time_s, move) if move else None
        said[f"{pan:g} px"] = None if found is None else {"after_s": found[0], "px": found[1].length_px}
        told = "no alarm" if found is None else f"{found[1].length_px:.1f} px, sure after {found[0]:.0f} s"
        print(f"pan of {pan:g} px, a frame a second, {last:.0f} s of traffic: {told}")
    keep(options, "pans", said)


def video(options: argparse.Namespace) -> None:
    """A real camera that stands still, a frame every two seconds, and the same turned by ten pixels."""
    if not VTEST.exists():
        print(f"{VTEST} is not here: apt-get install opencv-doc")
        return
    with open_video(VTEST) as opened:
        frames = [frame for frame in opened.frames() if frame.number % 20 == 0]
    still, turned = (ShiftWatch(Reference(frames[0].image)) for _ in range(2))
    false = sum(still.hear(frame.image) is not None for frame in frames)
    took = next((f.time_s for f in frames if turned.hear(np.roll(f.image, 10, axis=1))), None)
    print(f"vtest.avi, {frames[-1].time_s:.0f} s: {false} false alarms; turned by 10 px: sure after {took} s")
    said = {"false alarms": false, "seconds": frames[-1].time_s, "turned by 10 px, sure after_s": took}
    keep(options, "video", {VTEST.name: said})


def marks(options: argparse.Namespace) -> None:
    """How wrong the way from 20 to 110 m is by clicks 2 px off; how wrong speeds by boxes 1 px too low."""
    camera, said = Camera(), {}
    ends = np.array([[5.0, 20.0, 0.0], [5.0, 110.0, 0.0]])
    for length, more in ((30.0, 0), (60.0, 0), (60.0, 4)):
        off = []
        for seed in range(400):
            rng = np.random.default_rng(seed)
            marked = camera.calibration(rng, clicks_px=2.0, length_m=length, width_m=7.0, more=more)
            off.append(abs(np.linalg.norm(np.diff(marked.ground(camera.picture(ends)), axis=0)) / 90 - 1))
        name = f"7 × {length:g} m, {more} more points"
        said[name] = float(np.mean(off))
        print(f"{name}: lengths wrong by {said[name]:.1%}")
    driven = simulate(camera, EASY, np.random.default_rng(0))
    calibration = camera.calibration(np.random.default_rng(0))
    low = replace(driven.tracks, xyxy=driven.tracks.xyxy + np.float32([0, 0, 0, 1]))
    means = []
    for tracks in (driven.tracks, low):
        ground = stand(tracks, calibration)
        speed = estimate(ground, calibration, learn_noise(ground))[1].speed
        means.append(dict(zip(ground.track[ground.starts[:-1]].tolist(), speed)))
    said["boxes 1 px too low"] = float(np.mean([means[1][k] / v - 1 for k, v in means[0].items()]))
    print(f"boxes 1 px too low: speeds wrong by {said['boxes 1 px too low']:+.1%}")
    keep(options, "marks", said)


PARTS = {"estimators": estimators, "alarms": alarms, "pans": pans, "video": video, "marks": marks}


def keep(options: argparse.Namespace, part: str, said: Mapping[str, object]) -> None:
    """Add to the results; what other calls measured stays."""
    if not options.no_write:
        before = read_results("speed")
        write_results("speed", {**before, part: {**before.get(part, {}), **said}})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=8, help="of the estimators")
    parser.add_argument("--first-seed", type=int, default=0, help="of the estimators")
    parser.add_argument("--parts", nargs="*", choices=tuple(PARTS), default=list(PARTS))
    parser.add_argument("--cases", type=int, nargs="*", default=list(range(len(CASES))), help="of CASES")
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    for part in options.parts:
        PARTS[part](options)


if __name__ == "__main__":
    main()
