"""What who asks for a token gets, as tables: serve, refresh, wait or refuse."""

from dataclasses import replace
from uuid import UUID

import pytest

from refresher.rules.connection import ParkReason, Sealed, Secret
from refresher.rules.served import Served, fingerprint
from refresher.rules.serving import (
    Ask,
    DueRow,
    Need,
    Refresh,
    Refuse,
    Serve,
    Stored,
    Wait,
    as_stored,
    is_dying,
    needs,
    next_step,
)
from refresher.rules.unavailable import PASSING, SENTENCES, Why

HOUR = 3600.0
TOKEN = Stored(
    connection_id=UUID(int=1),
    root_id=UUID(int=1),
    organization_id="org",
    deleted=False,
    access_token=Sealed(b"sealed"),
    expires_at=None,
    left_seconds=HOUR,
    lifetime_seconds=HOUR,
    status="active",
    scopes=(),
    credential_version=1,
)
TOKEN_ENDING = replace(TOKEN, left_seconds=5.0)
IDLE = DueRow("idle", 7)
LEASED = DueRow("leased", 7)
FAILED = replace(IDLE, last_event="transient", last_reason="http_500", since_seconds=4.0)
SOON = Refuse(Why.STILL_REFRESHING, "a consent is under way", 1.0)
CONSENTED = [
    (Need.EXPIRED, IDLE),
    (Need.ABSENT, IDLE),
    (Need.EXPIRED, DueRow("parked", 7, "mid_oauth")),
    (Need.EXPIRED, DueRow("parked", 7, "reconnect_required")),
]
DONE = replace(IDLE, last_event="refreshed", since_seconds=4.0)


@pytest.mark.parametrize(
    ("changed", "min_ttl_seconds", "rejected", "need"),
    [
        ({}, 60, False, None),
        ({"left_seconds": 60.0}, 60, False, None),
        ({"left_seconds": 59.9}, 60, False, Need.ENDING),
        ({"left_seconds": 0.0}, 60, False, Need.EXPIRED),
        ({"left_seconds": -5.0}, 0, False, Need.EXPIRED),
        ({"left_seconds": -5.0}, 60, True, Need.EXPIRED),
        ({}, 60, True, Need.REJECTED),
        ({"left_seconds": 5.0}, 60, True, Need.REJECTED),
        ({"access_token": None}, 60, False, Need.ABSENT),
        # Nobody tells the end: it will do, until somebody refuses it.
        ({"left_seconds": None}, 60, False, None),
        ({"left_seconds": None}, 60, True, Need.REJECTED),
    ],
)
def test_what_a_token_lacks(changed, min_ttl_seconds, rejected, need):
    """A token will do while it has the life that was asked for and is not the one refused."""
    assert needs(replace(TOKEN, **changed), Ask(min_ttl_seconds), rejected=rejected) is need


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, Serve()),
        ({"left_seconds": None}, Serve()),
        ({"status": "reconnect_required"}, Serve(ParkReason.RECONNECT_REQUIRED)),
    ],
)
def test_a_token_that_will_do_tells_what_to_know(changed, expected):
    """A grant that has ended is told with the token that may still be good."""
    assert as_stored(replace(TOKEN, **changed)) == expected


@pytest.mark.parametrize(
    ("need", "row", "expected"),
    [
        *((need, IDLE, Refresh(7)) for need in Need if need is not Need.DYING),
        *((need, LEASED, Wait(7)) for need in Need),
        # Parked: valid tokens are served with the reason, anything else is an error.
        (Need.ENDING, DueRow("parked", 7, "paused"), Serve(ParkReason.PAUSED)),
        (Need.EXPIRED, DueRow("parked", 7, "paused"), Refuse(ParkReason.PAUSED)),
        (Need.REJECTED, DueRow("parked", 7, "paused"), Refuse(ParkReason.PAUSED)),
        (Need.ABSENT, DueRow("parked", 7, "mid_oauth"), Refuse(ParkReason.MID_OAUTH)),
        (Need.EXPIRED, DueRow("parked", 7, "unheard of"), Refuse(ParkReason.MISSING)),
        (Need.EXPIRED, DueRow("none"), Refuse(ParkReason.MISSING)),
        # A consent is under way: a row that waits for nothing else has a token soon.
        *((need, replace(row, consent_seconds=50.0), SOON) for need, row in CONSENTED),
        (Need.ENDING, replace(IDLE, consent_seconds=50.0), Serve(SOON.reason, SOON.detail)),
        (Need.EXPIRED, replace(LEASED, consent_seconds=50.0), Wait(7)),
        (
            Need.EXPIRED,
            DueRow("parked", 7, "disabled", consent_seconds=50.0),
            Refuse(ParkReason.DISABLED),
        ),
        # A failure a moment ago is not repeated by the next caller.
        (Need.ENDING, FAILED, Serve(Why.REFRESH_FAILED, "transient (http_500)")),
        (Need.EXPIRED, FAILED, Refuse(Why.REFRESH_FAILED, "transient (http_500)", 6.0)),
        (
            Need.EXPIRED,
            replace(FAILED, last_reason=None),
            Refuse(Why.REFRESH_FAILED, "transient", 6.0),
        ),
        (Need.EXPIRED, replace(FAILED, since_seconds=10.0), Refresh(7)),
        (Need.EXPIRED, replace(FAILED, last_event="swept"), Refresh(7)),
        # A success a moment ago is, unless it is only that the new token is refused, too.
        (Need.EXPIRED, DONE, Refresh(7)),
        (Need.ENDING, DONE, Refresh(7)),
        (Need.REJECTED, DONE, Serve(Why.REFRESHED_JUST_NOW)),
        (Need.REJECTED, replace(DONE, since_seconds=11.0), Refresh(7)),
        # A pause holds until its end.
        (
            Need.EXPIRED,
            replace(IDLE, postponed_by="provider:acme", due_in_seconds=30.0),
            Refuse(Why.PROVIDER_PAUSED, "provider:acme", 30.0),
        ),
        (
            Need.ENDING,
            replace(IDLE, postponed_by="app:acme/default", due_in_seconds=30.0),
            Serve(Why.APP_PAUSED, "app:acme/default"),
        ),
        (
            Need.EXPIRED,
            replace(IDLE, postponed_by="pace:acme", due_in_seconds=30.0),
            Refuse(Why.PACED, None, 30.0),
        ),
        (
            Need.ENDING,
            replace(DONE, postponed_by="pace:acme", due_in_seconds=30.0),
            Serve(Why.PACED),
        ),
        (
            Need.EXPIRED,
            replace(IDLE, postponed_by="provider:acme", due_in_seconds=-1.0),
            Refresh(7),
        ),
        (
            Need.EXPIRED,
            replace(IDLE, postponed_by="provider:acme", due_in_seconds=None),
            Refresh(7),
        ),
    ],
)
def test_the_next_step(need, row, expected):
    """What is done about a token that will not do depends on its row and its last attempt."""
    assert next_step(need, TOKEN_ENDING, row, interval_seconds=10) == expected


@pytest.mark.parametrize("row", [IDLE, LEASED])
@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (Need.EXPIRED, Refuse(Why.STILL_REFRESHING, None, 1.0)),
        (Need.ABSENT, Refuse(Why.STILL_REFRESHING, None, 1.0)),
        (Need.ENDING, Serve(Why.STILL_REFRESHING)),
        (Need.REJECTED, Serve(Why.STILL_REFRESHING)),
        (Need.DYING, Serve(Why.STILL_REFRESHING)),
    ],
)
def test_patience_ends(row, need, expected):
    """Who has waited long enough gets what is there, or an error; never an expired token."""
    assert next_step(need, TOKEN_ENDING, row, interval_seconds=10, late=True) == expected


@pytest.mark.parametrize(
    ("left", "life", "row", "expected"),
    [
        # Half of what the provider gives is enough, or every call would refresh.
        (31.0, 60.0, DONE, Serve(Why.SHORT_LIVED)),
        (31.0, 60.0, replace(LEASED, last_event="adopted"), Serve(Why.SHORT_LIVED)),
        (29.0, 60.0, DONE, Refresh(7)),
        (31.0, None, DONE, Refresh(7)),
        (31.0, 0.0, DONE, Refresh(7)),
        (None, 60.0, DONE, Refresh(7)),
        # What an import tells is not a whole life.
        (31.0, 60.0, replace(IDLE, last_event="imported"), Refresh(7)),
        (31.0, 60.0, IDLE, Refresh(7)),
    ],
)
def test_a_short_life_is_half_used(left, life, row, expected):
    """Who asks for more life than a provider gives gets half of it at least."""
    stored = replace(TOKEN, left_seconds=left, lifetime_seconds=life)
    assert next_step(Need.ENDING, stored, row, interval_seconds=10) == expected


@pytest.mark.parametrize(
    ("need", "row", "expected"),
    [
        (Need.EXPIRED, IDLE, Refuse(Why.REFRESH_FAILED, "postponed", 1.0)),
        (Need.ENDING, IDLE, Serve(Why.REFRESH_FAILED, "postponed")),
        (
            Need.EXPIRED,
            replace(FAILED, since_seconds=99.0),
            Refuse(Why.REFRESH_FAILED, "transient (http_500)", 1.0),
        ),
        (Need.REJECTED, replace(DONE, since_seconds=99.0), Serve(Why.REFRESHED_JUST_NOW)),
        (Need.ENDING, DONE, Serve(Why.SHORT_LIVED)),
    ],
)
def test_nobody_tries_twice(need, row, expected):
    """After a refresh of one's own that did not help there is no second for the same call."""
    assert next_step(need, TOKEN_ENDING, row, interval_seconds=10, tried="postponed") == expected


def test_every_reason_has_a_sentence():
    """A person is told each reason in words, and those that pass are among them."""
    assert set(SENTENCES) == {*Why, *ParkReason}
    assert set(SENTENCES) > PASSING


def test_a_fingerprint_names_a_token_and_tells_nothing_of_it():
    """It is 16 hexadecimal digits of a SHA-256, the same for the same token."""
    assert fingerprint(Secret("access-1")) == "f4c2844f463b5a93"
    assert fingerprint(Secret("access-1")) != fingerprint(Secret("access-2"))
    served = Served(UUID(int=1), UUID(int=1), Secret("access-1"), None, None, (), 1)
    assert served.fingerprint == "f4c2844f463b5a93"


@pytest.mark.parametrize(
    ("survives", "row", "dying"),
    [
        (False, replace(LEASED, begun=True), True),
        (False, LEASED, False),  # nothing was sent yet
        (False, IDLE, False),
        (True, replace(LEASED, begun=True), False),
    ],
)
def test_a_token_dies_while_its_refresh_is_under_way(survives, row, dying):
    """Only where its provider leaves no old token good, and only once the request may have left."""
    assert is_dying(row, survives=survives) is dying


@pytest.mark.parametrize(
    ("need", "row", "expected"),
    [
        (Need.ENDING, replace(IDLE, due_in_seconds=60.0), Serve(Why.OLD_TOKEN_DIES)),
        (Need.ENDING, replace(IDLE, due_in_seconds=0.0), Refresh(7)),
        (Need.ENDING, IDLE, Refresh(7)),
        (Need.ENDING, replace(FAILED, since_seconds=60.0, due_in_seconds=60.0), Refresh(7)),
        (Need.ENDING, LEASED, Wait(7)),
        (
            Need.ENDING,
            replace(IDLE, postponed_by="pace:acme", due_in_seconds=30.0),
            Serve(Why.PACED),
        ),
        (Need.EXPIRED, replace(IDLE, due_in_seconds=60.0), Refresh(7)),
        (Need.REJECTED, replace(IDLE, due_in_seconds=60.0), Refresh(7)),
    ],
)
def test_no_early_refresh_ends_the_token_that_others_hold(need, row, expected):
    """Who merely wants more life waits for the due time; who has no good token does not."""
    step = next_step(need, TOKEN_ENDING, row, interval_seconds=10, survives=False)
    assert step == expected
