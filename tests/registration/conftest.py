"""One place for each test: `opened('token_url = "{url}/token"')`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.registration.kit import APP, Place, place


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Opens a place with an entry of a providers file for acme."""
    with ExitStack() as stack:
        yield lambda entry, apps=APP: stack.enter_context(
            place(database_url, tmp_path, entry, apps)
        )
