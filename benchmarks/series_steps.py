"""Each step of the series chain beside the best known other way, in one run."""

import io
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.postgres_server import postgres

from okulo.apps.series.bring import ImportParams
from okulo.apps.series.bring import run as bring
from okulo.apps.series.cluster import ClusterParams
from okulo.apps.series.cluster import run as cluster
from okulo.apps.series.feature_list import SHAPE
from okulo.apps.series.features import FeaturesParams, compute, local, matrix
from okulo.apps.series.features import run as features
from okulo.apps.series.files import find_program
from okulo.apps.series.simulate import send, simulate_parts
from okulo.apps.series.store import Store

PEER = Path(__file__).with_name("peer_series.py")


def timed(work: Callable[[], Any], repeats: int) -> float:
    """Median seconds."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds), 3)


def ask_peer(python: str, what: str, folder: Path, *arguments: object) -> dict[str, Any]:
    """Run one part of the peers' script in their own environment."""
    command = [python, str(PEER), what, str(folder), *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def steps(count: int, repeats: int, peers: str | None) -> dict[str, Any]:
    """Import, features and cluster, ours and others'."""
    told: dict[str, Any] = {"recordings": count}
    with tempfile.TemporaryDirectory(prefix="okulo-bench-") as name:
        folder = Path(name)
        with postgres() as url:
            send(url, "recordings", simulate_parts(count, 0))
            told["import"] = imports(url, folder, repeats)
            if peers:
                (folder / "url").write_text(url)
                told["import"] |= ask_peer(peers, "adbc", folder, count)
        store = Store(folder / "store")
        told["features"] = _features(store, repeats)
        told["cluster"] = _cluster(store, folder, repeats)
        if peers:
            save_sample(store, folder, 2000)
            told["features"] |= ask_peer(peers, "features", folder, count)
            told["cluster"] |= ask_peer(peers, "kmeans", folder)
    for step, figures in told.items():
        print(step, json.dumps(figures, indent=2) if isinstance(figures, dict) else figures)
    told["ratios"] = ratios(told)
    print("ratios", json.dumps(told["ratios"], indent=2))
    return told


def ratios(told: dict[str, Any]) -> dict[str, float]:
    """Our seconds over the best of the others', a step each.

    FAISS on its default 256 rows a cluster is another job (it never sees a rare family), and is left out.
    """
    ours = {
        "import": "okulo, PostgreSQL to Parquet",
        "features": "okulo, 34 features, files read and written",
    }
    ours["cluster"] = "okulo, cells, everything"
    found = {}
    for step, name in ours.items():
        left_out = ("okulo", "extrapolated from", "pyarrow, dump")
        others = [v for k, v in told[step].items() if not k.startswith(left_out) and "sub-sampled" not in k]
        found[step] = round(told[step][name] / min(others), 2)
    both = told["import"]
    found["dump"] = round(both["okulo, dump to Parquet"] / both["pyarrow, dump to arrays only"], 2)
    return found


def _arrow(dump: Path) -> int:
    """Read a plain dump with pyarrow, without writing anything."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pv

    text = dump.read_bytes()
    start = text.index(b"FROM stdin;\n") + 12
    rows = pv.read_csv(
        pa.BufferReader(memoryview(text)[start : text.index(b"\n\\.\n", start) + 1]),
        read_options=pv.ReadOptions(column_names=["id", "values"]),
        parse_options=pv.ParseOptions(delimiter="\t", quote_char=False),
        convert_options=pv.ConvertOptions(column_types={"id": pa.int64(), "values": pa.string()}),
    )
    count = 0
    for chunk in rows["values"].chunks:
        parts = pc.split_pattern(pc.utf8_slice_codeunits(chunk, 1, -1), ",").flatten()
        known = pc.if_else(pc.is_in(parts, pa.array(["", "NULL"])), None, parts)
        count += len(pc.cast(known, pa.float32()))
    return count


def imports(url: str, folder: Path, repeats: int) -> dict[str, float]:
    """From a table and from a dump, written as Parquet; beside reading alone, without writing anything."""
    import psycopg

    def ours(source: str, **options: str) -> None:
        bring(ImportParams(source=source, out=folder / "store", replace=True, **options))

    def copy() -> int:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            rows = io.BytesIO()
            with cursor.copy("COPY (SELECT id, values FROM recordings) TO STDOUT (FORMAT BINARY)") as copied:
                for row in copied:
                    rows.write(row)
            # What follows the 38 bytes of a row's head is a record of (length, value) an element.
            data = np.frombuffer(rows.getbuffer()[19 : 19 + (rows.tell() - 19) // 8 * 8], ">i4, >f4")
            return len(data["f1"])

    dump = folder / "dump.sql"
    subprocess.run([find_program("pg_dump"), "-d", url, "-t", "recordings", "-f", str(dump)], check=True)
    ours(url, table="recordings")
    told = {
        "okulo, dump to Parquet": timed(lambda: ours(str(dump)), repeats),
        "pyarrow, dump to arrays only": timed(lambda: _arrow(dump), repeats),
        "okulo, PostgreSQL to Parquet": timed(lambda: ours(url, table="recordings"), repeats),
        "psycopg COPY BINARY to a record view only": timed(copy, repeats),
    }
    dump.unlink()
    return told


def _features(store: Store, repeats: int) -> dict[str, float]:
    def whole() -> None:
        features(FeaturesParams(store=store.root, replace=True))

    whole()
    parts = [store.read_part(part) for part in store.parts()]
    return {
        "okulo, 34 features, files read and written": timed(whole, repeats),
        "okulo, 34 features, kernel alone": timed(lambda: [compute(part) for part in parts], repeats),
    }


def _cluster(store: Store, folder: Path, repeats: int) -> dict[str, float]:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    def ours(**options: Any) -> None:
        cluster(ClusterParams(store=store.root, replace=True, **options))

    table = store.read_table("features")
    rows = np.nan_to_num(matrix(table, SHAPE)[:, :20], posinf=0, neginf=0)
    rows = np.clip((rows - np.median(rows, 0)) / (rows.std(0) + 1e-9), -5, 5).astype(np.float32)
    np.save(folder / "rows.npy", rows)
    ours()
    return {
        "okulo, cells, everything": timed(ours, repeats),
        "okulo, cells, without a look at other k": timed(lambda: ours(look=False), repeats),
        "scikit-learn k-means++ k = 10 on n × 20": timed(
            lambda: KMeans(10, n_init=1, random_state=0).fit(rows), repeats
        ),
        "scikit-learn mini-batch k = 10 on n × 20": timed(
            lambda: MiniBatchKMeans(10, n_init=1, random_state=0).fit(rows), repeats
        ),
    }


def save_sample(store: Store, folder: Path, count: int) -> None:
    """Some good recordings for the peers, with their features' ids."""
    ids, features_of = next(iter(local(store)))
    good = np.flatnonzero((features_of[:, 0] >= 20) & (features_of[:, 1] == 0) & (features_of[:, 9] > 0))[
        :count
    ]
    values = store.select(ids[good])
    rows = [values[int(i)] for i in ids[good]]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    np.savez(folder / "sample.npz", values=np.concatenate(rows), offsets=offsets)
