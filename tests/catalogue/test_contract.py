"""Every built-in entry, driven against the OAuth server that plays it: two readings of one entry."""

import pytest

from refresher.devkit.oauth_server.entry import unplayable
from refresher.testing.proof import PROMISES, broken
from tests.catalogue.samples import CATALOGUE

HOSTS: dict[str, str] = {}


@pytest.mark.parametrize("name", CATALOGUE.names)
@pytest.mark.parametrize("promise", PROMISES)
def test_the_entry_keeps_its_promise(promise: str, name: str):
    """The server understands what we ask, and we understand what it answers."""
    assert broken(CATALOGUE[name], promise) == []


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_all_that_an_entry_says_is_played(name: str):
    """No entry says a thing that the server does not know how to do."""
    assert unplayable(CATALOGUE[name]) == []
