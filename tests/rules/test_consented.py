"""What a held answer is as a connection: tokens, lives, scopes, host, and what is kept beside."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from refresher.rules.connect import Finish, Flow, Kind, Problem, Session, State, Trouble
from refresher.rules.connection import Reply, Secret
from refresher.rules.consent import Consent, Identity
from refresher.rules.consented import handed_in, settled_host, whole_answer
from refresher.rules.held import Held
from refresher.rules.providers import Provider, Slot
from refresher.rules.registration import NewConnection
from tests.rules.samples import EPOCH, NOW

CONSENT = Consent(identity=Identity(found_in=("answer",), paths=(("id",),)))
ACME = Provider("acme", "https://acme.example/token", connect=CONSENT)
SESSION = Session(
    UUID(int=1), Kind.NEW, Flow.REDIRECT, Finish.PAGE, State.HELD, "org", "acme", "default", "c1",
    None, None, {}, {}, (), (), None, None, None, False, False, "by cli:ann", None, None, None,
    0, None, NOW, None, NOW, None, b"link",
)  # fmt: skip
PAIR = {"access_token": "at", "refresh_token": "rt", "expires_in": 3600}


def reply(**fields: object) -> Reply:
    """Returns an answer."""
    return Reply(200, {}, json.dumps(fields).encode())


def entry(facts: dict[str, Any] | None = None, **consent: Any) -> Provider:
    """Returns the entry with other facts."""
    return replace(ACME, connect=replace(CONSENT, **consent), **(facts or {}))


def made(
    provider: Provider, held: Held, session: Session = SESSION, waited: float = 0.0
) -> NewConnection:
    """Returns the connection that is handed in after so many seconds."""
    return handed_in(
        provider, session, held, "c1", None,
        arrived_epoch_seconds=EPOCH, now_epoch_seconds=EPOCH + waited,
    )  # fmt: skip


def test_lives_count_from_when_the_answer_came():
    """An answer may have waited; a refresh token that has ended is not one without an end."""
    held = Held(reply(**PAIR, refresh_token_expires_in=300))
    new = made(ACME, held, waited=600)
    assert (new.access_token, new.refresh_token) == (Secret("at"), Secret("rt"))
    assert (new.expires_in_seconds, new.refresh_token_expires_in_seconds) == (3000, 1)
    assert new.grant_ends_in_seconds is None
    assert made(ACME, held, waited=9_999).expires_in_seconds == 0


def test_place_and_guard_are_the_sessions():
    """So a connection that the application still completes stays in between steps."""
    assert made(ACME, Held(reply(**PAIR))).in_between_steps is None
    session = replace(SESSION, placeholders={"tenant": "acme"}, leave_in_between_steps=True)
    new = made(ACME, Held(reply(**PAIR)), session)
    assert (new.placeholders, new.in_between_steps) == ({"tenant": "acme"}, True)
    assert (new.app, new.external_id, new.organization_id) == ("default", "c1", "org")


@pytest.mark.parametrize(
    ("separator", "scope", "expected"),
    [
        (None, "a b", ("a", "b")),
        (None, ["a", "b"], ("a", "b")),
        (";", "a b; c", ("a b", "c")),
        (";", ["a", "b"], ("a", "b")),
        (",", None, None),
    ],
)
def test_scopes_are_read_as_the_entry_separates_them(
    separator: str | None, scope: object, expected: tuple[str, ...] | None
):
    """A list is one; nothing is nothing."""
    provider = entry(answer_scope_separator=separator)
    new = made(provider, Held(reply(**PAIR, scope=scope)))
    assert new.granted_scopes == expected


def test_fields_of_a_callback_are_kept_beside_those_of_the_answer():
    """Those that the entry names."""
    provider = entry({"keep_fields": ("api_domain",)}, keep_from_callback=("realmId", "absent"))
    held = Held(reply(**PAIR, api_domain="eu"), callback={"realmId": "7", "other": "x"})
    assert made(provider, held).kept == {"api_domain": "eu", "realmId": "7"}
    assert made(replace(ACME, connect=None), Held(reply(**PAIR))).kept is None


def test_slots_come_with_the_code():
    """Slack's user token: its life counts from then, too."""
    provider = replace(ACME, slots={"user": Slot(("authed_user",))})
    held = Held(reply(**PAIR, authed_user={"access_token": "user", "expires_in": 600}))
    (slot,) = made(provider, held, waited=100).slots
    assert (slot.slot, slot.access_token, slot.expires_in_seconds) == ("user", Secret("user"), 500)


def test_of_two_steps_the_second_brings_the_tokens():
    """With what only the first had: who it was, what is kept, and the scopes."""
    provider = entry({"keep_fields": ("user.id",)})
    first = reply(access_token="short", expires_in=3600, user={"id": 7}, scope="a", more=1)
    held = Held(first, second=reply(access_token="long"))
    assert whole_answer(provider, held) == {"user": {"id": 7}, "scope": "a", "access_token": "long"}
    new = made(provider, held)
    assert (new.access_token, new.expires_in_seconds) == (Secret("long"), None)
    assert (new.kept, new.granted_scopes) == ({"user.id": 7}, ("a",))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"instance_url": "https://eu.acme.example"}, "eu.acme.example"),
        ({"instance_url": "https://evil.example"}, Problem.WRONG_HOST),
        ({}, "here.acme.example"),
    ],
)
def test_an_answer_may_name_the_connections_host(told: dict[str, str], expected: object):
    """One of the provider's own, or nothing becomes of it (C24)."""
    provider = entry({"host_pattern": r"[a-z]+\.acme\.example"}, host_from_answer=("instance_url",))
    found = settled_host(provider, Held(reply(**PAIR, **told), host="here.acme.example"))
    assert (found.code if isinstance(found, Trouble) else found) == expected
    bare = replace(provider, connect=None)
    assert settled_host(bare, Held(reply(**told), host="x")) == "x"
