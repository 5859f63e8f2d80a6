"""Every built-in entry, driven against the OAuth server that plays it: two readings of one entry."""

import pytest

from refresher.testing.proof import prove
from tests.catalogue.samples import CATALOGUE


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_the_entry_keeps_its_promises(name: str):
    """The server understands what we ask, and we understand what it answers, in every trouble."""
    assert prove(CATALOGUE[name]) == []
