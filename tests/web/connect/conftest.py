"""One process of pages for the tests of a module; sessions and browsers are each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.connect.stage import Stage


@pytest.fixture(scope="module")
def stage(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Our pages, and a provider that asks nobody."""
    folder: Path = tmp_path_factory.mktemp("pages")
    with Stage.opened(module_database_url, folder) as opened:
        yield opened
