"""The small values of a refresh."""

from dataclasses import replace
from uuid import UUID

import pytest

from refresher.rules.connection import Claim

ID = UUID(int=7)


def test_a_value_is_what_is_in_it():
    """Equal fields make equal values, which find each other in a set."""
    assert Claim(ID, 3) == Claim(ID, 3)
    assert Claim(ID, 3) != Claim(ID, 4)
    assert len({Claim(ID, 3), Claim(ID, 3), Claim(ID, 4)}) == 2
    assert replace(Claim(ID, 3), lease_token=4) == Claim(ID, 4)


def test_a_value_has_its_fields_and_no_others():
    """A field that is misspelt is told, also at run time."""
    with pytest.raises(AttributeError):
        setattr(Claim(ID, 3), "lease_tokne", 4)  # noqa: B010  mypy would refuse it
