"""Recordings in a real PostgreSQL, and a folder of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.outside import missing
from tests.postgres_server import find_programs, postgres

from okulo.apps.series.bring import ImportParams
from okulo.apps.series.bring import run as bring
from okulo.apps.series.clean import CleanParams
from okulo.apps.series.clean import run as clean
from okulo.apps.series.cluster import ClusterParams
from okulo.apps.series.cluster import run as cluster
from okulo.apps.series.features import FeaturesParams
from okulo.apps.series.features import run as features
from okulo.apps.series.simulate import Simulated, send, simulate

COUNT = 15_000


@pytest.fixture(scope="session")
def made() -> Simulated:
    return simulate(COUNT, np.random.default_rng(7))


@pytest.fixture(scope="session")
def server(made: Simulated) -> Iterator[str]:
    programs = find_programs()
    if programs is None:
        missing("PostgreSQL", "apt-get install postgresql")
    with postgres(programs) as url:
        send(url, "recordings", [made])
        yield url


@pytest.fixture(scope="session")
def parquet(made: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same recordings as a Parquet file, as any other program would write it."""
    path = tmp_path_factory.mktemp("parquet") / "recordings.parquet"
    values = [row.astype(np.float64).tolist() for row in made.series]
    pl.DataFrame({"id": made.series.id, "values": values}).write_parquet(path)
    return path


@pytest.fixture(scope="session")
def done(parquet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that went through features, clean and cluster; not to be changed."""
    root = tmp_path_factory.mktemp("done") / "recordings"
    bring(ImportParams(source=str(parquet), out=root, part=2500))
    features(FeaturesParams(store=root))
    clean(CleanParams(store=root))
    cluster(ClusterParams(store=root))
    return root
