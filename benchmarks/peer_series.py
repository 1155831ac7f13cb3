"""What the peers of the series chain do; runs in their environment and prints one line of JSON."""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")


def load(folder: Path) -> list[np.ndarray]:
    held = np.load(folder / "sample.npz")
    return [held["values"][a:b] for a, b in zip(held["offsets"], held["offsets"][1:])]


def seconds(work, *arguments):
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def features(folder: Path, count: int) -> dict[str, float]:
    """Seconds for all recordings, extrapolated from a sample on one core."""
    import pandas as pd
    import pycatch22
    from tsfresh import extract_features
    from tsfresh.feature_extraction import EfficientFCParameters, MinimalFCParameters

    rows = load(folder)
    by = count / len(rows)
    lists = [row.astype(float).tolist() for row in rows]
    frame = pd.DataFrame(
        {
            "id": np.repeat(np.arange(len(rows)), [len(r) for r in rows]),
            "x": np.concatenate(rows).astype(float),
        }
    )

    def pandas_features() -> None:
        grouped = frame.groupby("id")["x"]
        grouped.agg(["min", "max", "mean", "std", "median", "skew"])
        grouped.quantile([0.05, 0.25, 0.75, 0.95])
        grouped.apply(lambda x: x.diff().abs().mean())
        grouped.apply(lambda x: x.autocorr(1))
        grouped.idxmax()

    def fresh(settings, some) -> None:
        extract_features(
            frame[frame["id"] < some], column_id="id", column_value="x", default_fc_parameters=settings,
            n_jobs=0, disable_progressbar=True,
        )  # fmt: skip

    return {
        "extrapolated from": len(rows),
        "pycatch22, 22 features (extrapolated)": seconds(lambda: [pycatch22.catch22_all(r) for r in lists])
        * by,
        "pandas, 13 features (extrapolated)": seconds(pandas_features) * by,
        "tsfresh minimal (extrapolated)": seconds(fresh, MinimalFCParameters(), len(rows)) * by,
        "tsfresh efficient (extrapolated)": seconds(fresh, EfficientFCParameters(), 40) * by * len(rows) / 40,
    }


def adbc(folder: Path, count: int) -> dict[str, float]:
    """A table of PostgreSQL into one Parquet file with ADBC and pyarrow; the file `url` says where it is."""
    import adbc_driver_postgresql.dbapi
    import pyarrow.parquet as pq

    def bring() -> None:
        url = (folder / "url").read_text()
        with adbc_driver_postgresql.dbapi.connect(url) as line, line.cursor() as cursor:
            cursor.execute("SELECT id, values FROM recordings")
            reader = cursor.fetch_record_batch()
            options = {"compression": "none", "use_dictionary": False}
            with pq.ParquetWriter(folder / "adbc.parquet", reader.schema, **options) as writer:
                for batch in reader:
                    writer.write_batch(batch)
        assert pq.read_metadata(folder / "adbc.parquet").num_rows == count

    return {"ADBC, PostgreSQL to Parquet": min(seconds(bring) for _ in range(3))}


def kmeans(folder: Path) -> dict[str, float]:
    """FAISS k-means, with and without its default sub-sampling."""
    import faiss

    rows = np.load(folder / "rows.npy")
    told = {}
    for name, options in (
        ("faiss k-means k = 10 on n × 20, sub-sampled as by default", {}),
        ("faiss k-means k = 10 on n × 20, all rows", {"max_points_per_centroid": len(rows)}),
    ):
        model = faiss.Kmeans(rows.shape[1], 10, niter=25, seed=1, **options)

        def both(model=model) -> None:
            model.train(rows)
            model.assign(rows)

        told[name] = seconds(both)
    return told


def shapes(folder: Path) -> dict[str, dict[str, object]]:
    """DTW and shape-based clusterings of a sample: labels and seconds."""
    from tslearn.clustering import KShape, TimeSeriesKMeans
    from tslearn.preprocessing import TimeSeriesResampler, TimeSeriesScalerMeanVariance
    from tslearn.utils import to_time_series_dataset

    rows = load(folder)
    data = to_time_series_dataset([row.astype(float) for row in rows])
    same = TimeSeriesResampler(sz=60).fit_transform(data)
    k = 16
    told = {}
    ways = {
        "tslearn k-means, DTW": lambda: TimeSeriesKMeans(
            k, metric="dtw", max_iter=3, random_state=0
        ).fit_predict(same),
        "tslearn k-means, Euclidean": lambda: TimeSeriesKMeans(k, random_state=0).fit_predict(same),
        "tslearn k-shape": lambda: KShape(k, max_iter=10, random_state=0).fit_predict(
            TimeSeriesScalerMeanVariance().fit_transform(same)
        ),
    }
    for name, way in ways.items():
        started = time.perf_counter()
        labels = way()
        told[name] = {"labels": labels.tolist(), "seconds": time.perf_counter() - started}
    return told


def aeon_sets(folder: Path) -> dict[str, dict[str, object]]:
    """Write aeon's labelled sets for okulo, and cluster them with aeon's own clusterers."""
    from aeon.clustering import KShape, TimeSeriesKMeans, TimeSeriesKMedoids
    from aeon.datasets import load_arrow_head, load_basic_motions, load_italy_power_demand
    from sklearn.metrics import adjusted_rand_score

    told = {}
    for name, load_set in (
        ("BasicMotions", load_basic_motions),
        ("ArrowHead", load_arrow_head),
        ("ItalyPowerDemand", load_italy_power_demand),
    ):
        x, y = load_set()
        truth = np.unique(y, return_inverse=True)[1]
        np.savez(folder / f"{name}.npz", x=x.astype(np.float32), y=truth)
        k = int(truth.max()) + 1
        ways = {
            "aeon k-means, Euclidean": TimeSeriesKMeans(
                k, distance="euclidean", averaging_method="mean", random_state=0
            ),
            "aeon k-medoids, MSM": TimeSeriesKMedoids(k, distance="msm", random_state=0),
            "aeon k-means, DTW": TimeSeriesKMeans(
                k, distance="dtw", distance_params={"window": 0.2}, max_iter=3, n_init=1, random_state=0
            ),
            "aeon k-shape": KShape(k, random_state=0),
        }
        some = np.random.default_rng(0).permutation(len(x))[:120]
        figures = {}
        for way, model in ways.items():
            try:
                started = time.perf_counter()
                labels = model.fit_predict(x[some])
                figures[way] = {
                    "ari": float(adjusted_rand_score(truth[some], labels)),
                    "seconds": time.perf_counter() - started,
                }
            except Exception as error:  # one that cannot take several channels
                figures[way] = {"error": f"{type(error).__name__}: {error}"[:120]}
        told[name] = {
            "classes": k,
            "rows": len(x),
            "shape": list(x.shape[1:]),
            "used": some.tolist(),
            **figures,
        }
    return told


if __name__ == "__main__":
    what, folder, *rest = sys.argv[1:]
    parts = {"adbc": adbc, "features": features, "kmeans": kmeans, "shapes": shapes, "aeon": aeon_sets}
    print(json.dumps(parts[what](Path(folder), *map(int, rest))))
