"""Fixtures of the tests in a browser: Chromium once, profiles for each test, servers once a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.chromium import Chromium


@pytest.fixture(scope="package")
def _chromium() -> Iterator[Chromium]:
    with chromium.running() as browser:
        yield browser


@pytest.fixture
def browser(_chromium: Chromium) -> Iterator[Chromium]:
    """Chromium; the profiles of a test end with it."""
    yield _chromium
    _chromium.close_profiles()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a module's own."""
    return tmp_path_factory.mktemp("browser")
