"""A database that an administrator may break under a service that owns nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.refresh.committing.faults import ROLE
from tests.services import PostgresServer, plain
from tests.world import World


@pytest.fixture
def admin(postgres: PostgresServer, database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of somebody who may break the database."""
    with psycopg.connect(plain(database_url), autocommit=True) as opened:
        yield opened


@pytest.fixture
def world(admin: psycopg.Connection[Any], database_url: str, tmp_path: Path) -> Iterator[World]:
    """A world whose service has a role of its own, which owns nothing."""
    url = with_role(admin, database_url)
    made = World(url, data_directory=tmp_path, http_total_seconds=6, commit_seconds=0.2)
    yield made
    made.close()
    admin.execute(f"drop owned by {ROLE}")


def with_role(admin: psycopg.Connection[Any], database_url: str) -> str:
    """Returns the URL for a role that may read and write the tables, and nothing else."""
    if not admin.execute("select 1 from pg_roles where rolname = %s", (ROLE,)).fetchone():
        admin.execute(f"create role {ROLE} login password 'service'")
    for what in ("tables", "sequences"):
        admin.execute(f"grant all on all {what} in schema public to {ROLE}")
    before, _, where = database_url.partition("@")
    return f"{before.partition('//')[0]}//{ROLE}:service@{where}"
