"""`okulo embed` beside the bare network loop: the same pictures, model and cores, no table and no chunks.

python benchmarks/curate_embed.py --model lite0.okulo.onnx

The bare loop is what one writes by hand: for each batch read, decode, prepare, run the network on all cores.
Rounds alternate; the medians' ratio counts. Writes `benchmarks/results/curate-embed.json`.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from curate_truth import plant
from machine import write_results
from okulo.cli.embed import embed_items
from okulo.core.protocols import silent
from okulo.curate.embed import EmbedParams
from okulo.io.images import read_image
from okulo.runtime.modelfile import load

BATCH = 32


def bare(model: Path, files: list[Path]) -> np.ndarray:
    predictor = load(model, threads=os.cpu_count(), batch_size=BATCH)
    rows = []
    for start in range(0, len(files), BATCH):
        images = [read_image(file) for file in files[start : start + BATCH]]
        rows += [answer["embedding"] for answer in predictor.predict(images)]
    return np.stack(rows)


def ours(model: Path, files: list[Path]) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "items.parquet"
        names = [str(file) for file in files]
        pl.DataFrame({"id": names, "path": names}).write_parquet(table)
        embed_items(EmbedParams(items=table, model=str(model), batch=BATCH), silent)
        return pl.read_parquet(table)["embedding"].to_numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    files = plant("tune", 1, 2400).files()[: chosen.pictures]
    taken: dict[str, list[float]] = {"bare loop": [], "okulo embed": []}
    answers = {}
    for _ in range(chosen.rounds):
        for name, method in (("bare loop", bare), ("okulo embed", ours)):
            start = time.perf_counter()
            answers[name] = method(chosen.model, files)
            taken[name].append(time.perf_counter() - start)
    assert np.allclose(answers["bare loop"], answers["okulo embed"], atol=1e-4)
    rate = {name: len(files) / float(np.median(seconds)) for name, seconds in taken.items()}
    ratio = rate["okulo embed"] / rate["bare loop"]
    print({name: f"{value:.1f} pictures/s" for name, value in rate.items()}, f"ratio {ratio:.2f}")
    write_results("curate-embed", {"pictures_per_s": rate, "ratio": ratio, "seconds": taken})


if __name__ == "__main__":
    main()
