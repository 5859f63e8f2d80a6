"""A catalogue from a text, and the sentences that a text is refused with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from refresher.catalogue import Catalogue, load
from refresher.errors import CatalogueError

Load = Callable[..., Catalogue]
Fault = Callable[..., str]
ACME = '[providers.acme]\ntoken_url = "https://acme.example/token"\n'


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    """Loads a catalogue with this text as the user's file."""

    def load_it(text: str, *, allow_loopback: bool = False) -> Catalogue:
        path = tmp_path / "providers.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, allow_loopback=allow_loopback)

    return load_it


@pytest.fixture
def fault(load_text: Load) -> Fault:
    """Returns the sentences that a file's text is refused with, without the folder's name."""

    def fault_of(text: str, *, allow_loopback: bool = False) -> str:
        with pytest.raises(CatalogueError) as refused:
            load_text(text, allow_loopback=allow_loopback)
        return str(refused.value)

    return fault_of
