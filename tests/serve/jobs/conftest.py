"""A job store of each kind: an SQLite file, and a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgres_server import find_programs, postgres

PROGRAMS = find_programs()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    if PROGRAMS is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    with postgres(PROGRAMS) as url:
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
