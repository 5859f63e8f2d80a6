"""A connection is named by its id or by its three names; the id is computed, nobody is asked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from refresher.client import Account, NoSuchConnection
from refresher.client.which import as_id
from refresher.rules.connection import connection_id

ID = UUID("7b0d2a4e-5c0f-4c53-9f0e-0f6d1b7c9a11")
NAMES = ("org", "google", "1042")


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (ID, ID),
        (str(ID), ID),
        (NAMES, connection_id(*NAMES)),
        (Account(*NAMES), connection_id(*NAMES)),
        (("org", "google", " 1042 "), connection_id(*NAMES)),
    ],
)
def test_an_id_or_three_names_are_one_thing(which: Any, expected: UUID):
    """Blanks around a name do not count, as with a registration."""
    assert as_id(which) == expected


@pytest.mark.parametrize(
    ("which", "sentence"),
    [
        ("1042", "this is no id: a connection is named by its id, the UUID"),
        (1042, "this is a int: "),
        (None, "this is a NoneType: "),
        (("google", "1042"), "this tuple has 2: "),
        (("org", "google", 1042), "external_id must be a text that is not empty"),
        (("org", " ", "1042"), "provider must be a text that is not empty"),
        (("or\x1fg", "google", "1042"), "organization_id must be a text"),
    ],
)
def test_what_names_none_is_told_in_a_sentence(which: Any, sentence: str):
    """It says what is wrong, and how a connection is named."""
    with pytest.raises(NoSuchConnection, match=sentence) as raised:
        as_id(which)
    assert "(organization_id, provider, external_id)" in str(raised.value)
