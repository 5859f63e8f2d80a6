"""What a connection that is handed in comes to: new, a reconnect, an update, or a sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from refresher.errors import InvalidConnection
from refresher.rules.providers import Strategy
from refresher.rules.registering import Arrival, Existing, judge
from refresher.rules.registration import read
from tests.rules.samples import NAMED, provider

PLAIN = provider()
OWN_GRANT = provider(strategy=Strategy.LONG_LIVED_EXCHANGE, grant_type="x")
MINTED = provider(strategy=Strategy.CLIENT_CREDENTIALS)
PLACED = provider(
    token_url="https://{host}/{tenant}/token",
    revocation_url="https://{host}/{tenant}/revoke",
    host_pattern=r"[a-z]+\.acme\.example",
    host_example="eu.acme.example",
    placeholders={"tenant": "[a-z]+", "kind": "A|B"},
    parameters={"user_type": "{kind}"},
    headers={"X-Tenant": "{tenant}"},
)
PLACE = {"host": "eu.acme.example", "placeholders": {"tenant": "one", "kind": "A"}}
STORED = Existing(has_access_token=True, has_refresh_token=True, app_name="default")
BARE = replace(STORED, has_access_token=False, has_refresh_token=False)
THERE = replace(STORED, host="eu.acme.example", placeholders={"tenant": "one", "kind": "A"})
PAIR = {"access_token": "a", "refresh_token": "r"}
TOLD = {"name": "Cyd", "scopes": ["a"], "expires_in": 3600, "metadata": {}}
NO_TOKEN = "no token came: "
SIBLING = read({**NAMED, "root_external_id": "root"})


@pytest.mark.parametrize(
    ("of", "given", "before", "kind"),
    [
        (PLAIN, PAIR, None, Arrival.NEW),
        (PLAIN, {"access_token": "a"}, None, Arrival.NEW),
        (PLAIN, {"in_between_steps": True}, None, Arrival.NEW),
        (PLAIN, {"root_external_id": "root"}, None, Arrival.NEW),
        (MINTED, {}, None, Arrival.NEW),
        (PLAIN, PAIR, STORED, Arrival.RECONNECT),
        (PLAIN, {"refresh_token": "r"}, STORED, Arrival.RECONNECT),
        (PLAIN, TOLD, STORED, Arrival.UPDATE),
        (PLAIN, {}, STORED, Arrival.UPDATE),
        (PLAIN, {"app": "default"}, STORED, Arrival.UPDATE),
        (PLAIN, {"in_between_steps": True}, STORED, Arrival.UPDATE),
        (
            PLAIN,
            {"in_between_steps": False},
            replace(STORED, in_between_steps=True),
            Arrival.UPDATE,
        ),
        (
            MINTED,
            {"in_between_steps": False},
            replace(BARE, in_between_steps=True),
            Arrival.UPDATE,
        ),
        (PLAIN, {"app": "other"}, replace(BARE, in_between_steps=True), Arrival.UPDATE),
        (PLAIN, {"host": "unused.example"}, STORED, Arrival.UPDATE),
        (MINTED, {"app": "other"}, STORED, Arrival.RECONNECT),
        (PLAIN, {"root_external_id": "root"}, STORED, Arrival.RECONNECT),
        (
            PLAIN,
            {"root_external_id": "root"},
            replace(BARE, root_id=SIBLING.root_id),
            Arrival.UPDATE,
        ),
        (PLAIN, {}, replace(BARE, root_id=SIBLING.root_id), Arrival.UPDATE),
        (PLAIN, PAIR, replace(STORED, deleted=True), Arrival.RECONNECT),
        (
            PLAIN,
            {"root_external_id": "root"},
            replace(BARE, deleted=True),
            Arrival.RECONNECT,
        ),
        (PLACED, {**PAIR, **PLACE}, None, Arrival.NEW),
        (PLACED, {}, THERE, Arrival.UPDATE),
        (PLACED, {"host": "eu.acme.example"}, THERE, Arrival.UPDATE),
        (PLACED, {"placeholders": {"tenant": "one"}}, THERE, Arrival.UPDATE),
        (PLACED, {**PAIR, "host": "us.acme.example"}, THERE, Arrival.RECONNECT),
        (PLACED, {**PAIR, "placeholders": {"tenant": "two"}}, THERE, Arrival.RECONNECT),
        (
            PLACED,
            {"refresh_token": "r", "host": "us.acme.example"},
            THERE,
            Arrival.RECONNECT,
        ),
        (PLACED, {"root_external_id": "root"}, None, Arrival.NEW),
    ],
)
def test_only_tokens_make_a_reconnect(
    of: Any, given: dict[str, Any], before: Existing | None, kind: Arrival
) -> None:
    """Without tokens a known connection is updated; a new one needs them, unless it waits for them."""
    assert judge(read({**NAMED, **given}), of, before).kind is kind


MOVES = (
    "changes, so a new refresh_token must come along: the stored one is not sent to another place"
)


@pytest.mark.parametrize(
    ("of", "given", "before", "sentence"),
    [
        (PLAIN, {}, None, NO_TOKEN),
        (PLAIN, TOLD, None, NO_TOKEN),
        (PLAIN, {"access_token": "null", "refresh_token": " "}, None, NO_TOKEN),
        (PLAIN, {"in_between_steps": False}, None, NO_TOKEN),
        (OWN_GRANT, {}, None, NO_TOKEN),
        (PLAIN, {}, replace(STORED, deleted=True), NO_TOKEN),
        (PLAIN, {"in_between_steps": False}, replace(BARE, in_between_steps=True), NO_TOKEN),
        (PLAIN, {"app": "other"}, STORED, f"app {MOVES}"),
        (PLAIN, {"app": "other", "access_token": "a"}, STORED, f"app {MOVES}"),
        (
            PLAIN,
            {"app": "other", "access_token": "a"},
            replace(STORED, deleted=True),
            f"app {MOVES}",
        ),
        (
            PLAIN,
            {"app": "other"},
            replace(STORED, has_refresh_token=False),
            "app changes, so a new access_token must come along",
        ),
        (
            OWN_GRANT,
            {"app": "other", "refresh_token": "r"},
            STORED,
            "app changes, so a new access_token must come along",
        ),
        (PLACED, {"host": "us.acme.example"}, THERE, f"host {MOVES}"),
        (PLACED, {"host": "us.acme.example", "access_token": "a"}, THERE, f"host {MOVES}"),
        (PLACED, {"placeholders": {"tenant": "two"}}, THERE, f"placeholders.tenant {MOVES}"),
        (
            PLACED,
            PAIR,
            None,
            (
                'host is missing: provider acme needs one for each connection, such as "host": '
                '"eu.acme.example"'
            ),
        ),
        (
            PLACED,
            {**PAIR, "host": "eu.acme.example"},
            None,
            (
                "placeholders.tenant is missing: provider acme needs one for each connection, such as "
                '"placeholders": {"tenant": "acme"}'
            ),
        ),
        (
            PLACED,
            {**PAIR, **PLACE, "placeholders": {"tenant": "one"}},
            None,
            (
                "placeholders.kind is missing: provider acme needs one for each connection, such as "
                '"placeholders": {"kind": "A"}'
            ),
        ),
        (
            PLACED,
            {**PAIR, **PLACE, "placeholders": {"tenant": "../up", "kind": "A"}},
            None,
            'placeholders.tenant "../up" does not match the pattern [a-z]+',
        ),
        (
            PLACED,
            {**PAIR, **PLACE, "placeholders": {"tennant": "one"}},
            None,
            (
                'placeholders has "tennant", which provider acme does not have '
                '(did you mean "tenant"?): it has kind, tenant'
            ),
        ),
        (
            PLAIN,
            {**PAIR, "placeholders": {"tenant": "one"}},
            None,
            'placeholders has "tenant", which provider acme does not have: it has none',
        ),
        (PLACED, {"host": "evil.example"}, THERE, 'host "evil.example" does not match'),
    ],
)
def test_each_refusal_has_its_sentence(
    of: Any, given: dict[str, Any], before: Existing | None, sentence: str
) -> None:
    """It names the member, and what must come along."""
    with pytest.raises(InvalidConnection) as caught:
        judge(read({**NAMED, **given}), of, before)
    assert str(caught.value).startswith(sentence), str(caught.value)


def test_what_moved_is_told_so_that_the_old_access_token_is_not_served() -> None:
    """A new refresh token at another host: the access token that stays is that of the old one."""
    new = read({**NAMED, "refresh_token": "r", "host": "us.acme.example"})
    assert judge(new, PLACED, THERE).moved == "host"
    assert judge(new, PLAIN, THERE).moved is None
