"""Recordings in a real PostgreSQL, and a folder of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.postgres_server import postgres

from okulo.apps.series.bring import cut
from okulo.apps.series.clean import CleanParams
from okulo.apps.series.clean import run as clean
from okulo.apps.series.cluster import ClusterParams
from okulo.apps.series.cluster import run as cluster
from okulo.apps.series.features import FeaturesParams
from okulo.apps.series.features import run as features
from okulo.apps.series.simulate import Simulated, send, simulate
from okulo.apps.series.store import Store
from okulo.io.files import write_json

COUNT = 15_000
FEW = 2500
"""So many of them lie in the database and in the files: what is imported needs no families."""


@pytest.fixture(scope="session")
def made() -> Simulated:
    return simulate(COUNT, np.random.default_rng(7))


@pytest.fixture(scope="session")
def few(made: Simulated) -> Simulated:
    return Simulated(cut(made.series, 0, FEW), made.kind[:FEW])


@pytest.fixture(scope="session")
def server(few: Simulated) -> Iterator[str]:
    with postgres() as url:
        send(url, "recordings", [few])
        yield url


@pytest.fixture(scope="session")
def parquet(few: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same recordings as a Parquet file, as any other program would write it."""
    path = tmp_path_factory.mktemp("parquet") / "recordings.parquet"
    values = [row.astype(np.float64).tolist() for row in few.series]
    pl.DataFrame({"id": few.series.id, "values": values}).write_parquet(path)
    return path


@pytest.fixture(scope="session")
def done(made: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that went through features, clean and cluster; not to be changed."""
    root = tmp_path_factory.mktemp("done") / "recordings"
    store = Store(root)
    for place, first in enumerate(range(0, COUNT, 4000)):
        store.write_part(place, cut(made.series, first, min(first + 4000, COUNT)))
    write_json(store.manifest, {"complete": True, "source": "simulated", "findings": {}})
    features(FeaturesParams(store=root))
    clean(CleanParams(store=root))
    cluster(ClusterParams(store=root))
    return root
