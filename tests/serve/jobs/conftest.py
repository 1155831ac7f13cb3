"""A job store of each kind: an SQLite file, and a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgres_server import postgres
from tests.serve.conftest import Server, finish, launch


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    import psycopg

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS okulo_jobs, okulo_job_items, okulo_jobs_meta")
    return postgres_server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "jobs.db")
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="module")
def desk(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server that takes jobs, for tests that neither harm it nor count what it holds."""
    folder = tmp_path_factory.mktemp("desk")
    server = launch(folder / "server.log", colours, "--jobs", folder / "jobs.db")
    try:
        yield server
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()
    finally:
        finish(server)
