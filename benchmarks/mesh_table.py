"""Print the tables of docs/mesh.md from benchmarks/results/mesh-errors.json."""

import json
from collections.abc import Iterable

from machine import RESULTS

PEERS = {"open3d": "Open3D", "pymeshlab": "PyMeshLab", "trimesh": "trimesh"}
NOT_CLASSIC = (*PEERS, "noisy", "learned", "auto")
SHOWN = (*PEERS, "laplacian", "taubin", "bilateral", "guided", "l0", "l0-cotangent", "learned")
TITLES = {
    **{"cad": "generated part", "ring": "turned part", "rough": "rough (made)"},
    **{name: f"{name}, a piece" for name in ("bunny", "armadillo", "elephant")},
}
COUNTS = (20_000, 100_000, 500_000, 2_000_000)
LARGE = 100_000
"""Faces from which memory a face is told: below, what a library takes once weighs more."""

Row = dict[str, dict]


def degrees(found: Row, name: str) -> float:
    return float(found[name]["normals_deg"]) if name in found else float("inf")


def said(found: Row, name: str) -> str:
    return f"{degrees(found, name):.2f}" if name in found else "–"


def best_of(found: Row, names: Iterable[str]) -> str:
    return min((name for name in names if name in found), key=lambda name: degrees(found, name))


def classic(found: Row) -> str:
    return best_of(found, [name for name in found if name not in NOT_CLASSIC and " " not in name])


def ratio(found: Row) -> float | None:
    """Auto's error over that of the best of ours: of every classic method's grid, and learned."""
    if "auto" not in found:
        return None
    return degrees(found, "auto") / min(degrees(found, classic(found)), degrees(found, "learned"))


def measures(found: Row, name: str) -> str:
    each = found[name]
    sharp = each.get("sharp_edges_deg")
    edges = "–" if sharp is None else f"{sharp:.1f}°"
    return f"{each['distance']:.3f} / {edges} / {each['volume_change']:+.1%}".replace("%", " %")


def at_two_tenths(rows: dict[str, Row]) -> None:
    for key, found in rows.items():
        cells = " | ".join(said(found, name) for name in SHOWN)
        print(f"| {key} | {said(found, 'noisy')} | {cells} | **{said(found, 'auto')}** |")
    print()
    for key, found in rows.items():
        peer, own = best_of(found, PEERS), classic(found)
        four = [
            measures(found, "noisy"),
            f"{PEERS[peer]}: {measures(found, peer)}",
            f"{own}: {measures(found, own)}",
            measures(found, "auto") if "auto" in found else "–",
        ]
        print(f"| {key} | {' | '.join(four)} |")
    print()


def others(rows: dict[str, Row]) -> None:
    for key, found in rows.items():
        peer, own, times = best_of(found, PEERS), classic(found), ratio(found)
        cells = [
            said(found, "noisy"),
            f"{said(found, peer)} ({PEERS[peer]})",
            f"{said(found, own)} ({own})",
            said(found, "learned"),
            f"**{said(found, 'auto')}**",
            "–" if times is None else f"{times:.2f}",
        ]
        print(f"| {key} | {' | '.join(cells)} |")
    print()


def summary(rows: dict[str, Row]) -> None:
    known = {key: times for key, found in rows.items() if (times := ratio(found)) is not None}
    within = [key for key, times in known.items() if times <= 1.1]
    print(f"auto within 10 % of the best: {len(within)} of {len(known)}; not:")
    for key, times in sorted(known.items(), key=lambda each: -each[1]):
        if times > 1.1:
            print(f"  {key}: {times:.2f}, chose {rows[key]['auto']['setting']}")
    behind = {
        key: degrees(f, "learned") / degrees(f, classic(f)) for key, f in rows.items() if "learned" in f
    }
    print(
        f"learned at least equal to the best classic: {sum(v <= 1 for v in behind.values())} of {len(behind)}"
    )
    print("  " + ", ".join(f"{key} {times:.2f}" for key, times in behind.items()))
    for name in ("learned", "auto"):
        seconds = [row[name]["cpu_s"] for row in rows.values() if name in row]
        if seconds:
            print(f"{name}: {min(seconds):.1f} to {max(seconds):.1f} s of processor time")


def speeds(rows: dict[str, dict[str, float]]) -> None:
    """Time by method (a name ends in its faces, and perhaps in `shuffled`) and size; most bytes a face."""
    table: dict[str, dict[int, dict[str, float]]] = {}
    for key, found in rows.items():
        name, count = key.removesuffix(" shuffled").rsplit(" ", 1)
        order = ", faces in any order" if key.endswith(" shuffled") else ""
        table.setdefault(name + order, {})[int(count)] = found
    for name, by_count in table.items():
        times = [f"{by_count[n]['seconds']:.3g} s" if n in by_count else "–" for n in COUNTS]
        most = max(by_count[n]["bytes_a_face"] for n in by_count if n >= LARGE or n == max(by_count))
        print(f"| {name} | {' | '.join(times)} | {most:,.0f} |")
    print()


def main() -> None:
    rows = {}
    for key, found in json.loads((RESULTS / "mesh-errors.json").read_text())["rows"].items():
        name, kind, level = key.rsplit(" ", 2)
        noise = "" if kind == "along-normal" else f", {kind}"
        rows[f"{TITLES.get(name, name)} {level}{noise}"] = found
    first = {key: found for key, found in rows.items() if key.endswith(" 0.2")}
    at_two_tenths(first)
    others({key: found for key, found in rows.items() if key not in first})
    summary(rows)
    speeds(json.loads((RESULTS / "mesh-speed.json").read_text())["rows"])


if __name__ == "__main__":
    main()
