"""Train detectors on shapes on photos, whose boxes are known: how good in minutes, and what switches bring.

    python benchmarks/detect_train.py useful                  (about 4 processor minutes)
    python benchmarks/detect_train.py switches --rows 0 1     (rows of the table; about 3 minutes each)

Photos are those of /usr/share/backgrounds (Debian's mate-, gnome- and other backgrounds) where there are any,
else the two of scikit-learn. No photo is in two splits. Epochs are chosen on val; what is reported is test.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from machine import read_results, write_results
from okulo.cli.evaluate import measure
from okulo.core.protocols import silent
from okulo.curate.scan import ScanParams
from okulo.curate.scan import run as scan
from okulo.evaluate.boxes import BoxesReport
from okulo.evaluate.measure import EvaluateParams
from okulo.export.export import run as export
from okulo.export.params import ExportParams
from okulo.io.shapes import read_photos, write_shapes
from okulo.train.detect import run as train
from okulo.train.params import ClassifyParams

PHOTOS = Path("/usr/share/backgrounds")
USEFUL = {"count": 3000, "side": 160, "epochs": 20}
SMALL = {"count": 1100, "side": 128, "epochs": 16}
SWITCHES: dict[str, dict[str, object]] = {
    "default (CIoU, IoU-aware, mosaic)": {},
    "box loss of v3": {"box_loss": "v3"},
    "sure is 1, not the overlap": {"iou_aware": False},
    "no mosaic": {"mosaic": 0.0},
}


def make_set(folder: Path, count: int, side: int) -> Path:
    photos = read_photos(PHOTOS if PHOTOS.is_dir() else None)
    write_shapes(folder / "shapes", photos, count=count, side=side, seed=0)
    scan(ScanParams(source=folder / "shapes", output=folder / "items.parquet"), silent)
    return folder / "items.parquet"


def one(items: Path, folder: Path, epochs: int, seed: int, **switches: object) -> dict[str, object]:
    """Train, export, and measure the model file on test."""
    began = time.process_time()
    params = ClassifyParams(items=items, output=folder / "run", recipe="detect", epochs=epochs, seed=seed,
                            **switches)  # type: ignore[arg-type]  # fmt: skip
    report = train(params)
    spent = time.process_time() - began
    model = folder / "model.okulo.onnx"
    proven = export(ExportParams(run=folder / "run", output=model))
    said = measure(EvaluateParams(model=model, items=items, output=folder / "report", split="test"), silent)
    assert isinstance(said, BoxesReport)
    return {
        "ap": said.mean_precision, "ap_50": said.precision_at_50, "ap_75": said.precision_at_75,
        "pictures": said.pictures, "boxes": said.boxes, "val_ap": report.val_map,
        "train_pictures": report.train_items, "processor_s": spent, "parameters": report.parameters,
        "multiply_adds": report.multiply_adds, "epochs": report.epochs, "parity": proven.parity.worst,
        "by_class": {each.label: each.precision for each in said.classes},
    }  # fmt: skip


def useful() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        items = make_set(Path(name), int(USEFUL["count"]), int(USEFUL["side"]))
        said = one(items, Path(name), USEFUL["epochs"], 0)
    print(f"AP {said['ap']:.3f}, at .5 {said['ap_50']:.3f}, at .75 {said['ap_75']:.3f} on {said['pictures']} "
          f"pictures of test; {said['processor_s']:.0f} processor seconds")  # fmt: skip
    return said


def switches(seeds: int, chosen: list[int]) -> None:
    """Measure rows of the table, each written as soon as it is whole; rows of other calls stay."""
    with tempfile.TemporaryDirectory() as name:
        items = make_set(Path(name), SMALL["count"], SMALL["side"])
        for label, changed in [list(SWITCHES.items())[k] for k in chosen]:
            rows = []
            for seed in range(seeds):
                with tempfile.TemporaryDirectory() as inner:
                    rows.append(one(items, Path(inner), SMALL["epochs"], seed, **changed))
            made = {key: [round(float(row[key]), 3) for row in rows] for key in ("ap", "ap_50")}  # type: ignore[arg-type]
            spent = float(np.mean([row["processor_s"] for row in rows]))  # type: ignore[arg-type]
            print(f"{label:36} AP {made['ap']} at .5 {made['ap_50']} {spent:.0f} s", flush=True)
            keep("switches", {"setting": SMALL, "rows": {label: {**made, "processor_s": round(spent)}}})


def keep(part: str, said: dict[str, object]) -> None:
    """Add to the results; rows of the table that other calls measured stay."""
    before = read_results("detect_train")
    if "rows" in said:
        said["rows"] = {**before.get(part, {}).get("rows", {}), **said["rows"]}
    write_results("detect_train", {**before, part: said})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("useful", "switches"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, nargs="*", default=list(range(len(SWITCHES))))
    given = parser.parse_args()
    if given.part == "useful":
        keep("useful", useful())
    else:
        switches(given.seeds, given.rows)


if __name__ == "__main__":
    main()
