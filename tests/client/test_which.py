"""A connection is named by its id or by its three names; the id is computed, nobody is asked."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from refresher.client import Account, NoSuchConnection, Refresher
from refresher.client.which import as_id
from refresher.rules.connection import connection_id
from tests.client.conftest import Place

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


def test_every_method_takes_the_names(refresher: Refresher, place: Place):
    """A token, a look, a deed, the history, a deletion; and another's names are nobody's."""
    fields = place.fields()
    made = refresher.register(**fields)
    account = Account("org", "acme", fields["external_id"])
    assert refresher.token(account).access_token.reveal() == fields["access_token"]
    assert refresher.headers(account) == {"Authorization": f"Bearer {fields['access_token']}"}
    assert refresher.get(account) == made == refresher.find(account)
    assert refresher.pause(("org", "acme", fields["external_id"])).state == "parked"
    assert refresher.resume(account).id == made.id
    assert [event.kind for event in refresher.events(account)][-1] == "imported"
    refresher.delete(account)
    assert refresher.find(account) is None
    with pytest.raises(NoSuchConnection):
        refresher.get(Account("another", "acme", fields["external_id"]))


def test_a_key_of_one_organization_knows_no_other(place: Place):
    """Over HTTP another organization's account is simply no connection."""
    with Refresher(**place.direct) as here, Refresher(**place.http) as there:
        here.register(**place.fields(organization_id="other", external_id=f"a-{uuid4()}"))
        theirs = next(here.list(organization_id="other"))
        account = Account("other", theirs.provider, theirs.external_id)
        assert here.find(account) == theirs
        assert there.find(account) is None
