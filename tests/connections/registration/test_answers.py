"""What an answer brings besides the pair: granted scopes, ends, fields; and how it is asked for.

Each through a token server on a real socket and real Postgres.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest

from tests.connections.registration.kit import PAIR, Place

DAY = 86_400
Opened = Callable[..., Place]
SENDING = 'token_url = "{url}/token"\nsend_scope = true'


def test_what_was_asked_for_is_asked_for_again_whatever_was_granted(opened: Opened) -> None:
    """Microsoft grants no `offline_access`, and without asking for it gives no refresh token."""
    place = opened(SENDING + f"\nrefresh_token_lifetime_seconds = {90 * DAY}")
    asked = ["offline_access", "User.Read", "Mail.Read"]
    id_ = place.hand_in(scopes=asked)
    granted = {"scope": "User.Read", **PAIR}
    place.server.reply = lambda request: (
        200,
        granted
        if "offline_access" in request.form["scope"]
        else {**granted, "refresh_token": None},
    )
    for _ in range(3):
        place.tick()
        place.pass_time(3600)
    assert [request.form["scope"] for request in place.server.asked] == [" ".join(asked)] * 3
    row = place.row(id_)
    assert (row.scopes, row.granted_scopes) == (asked, ["User.Read"])
    assert place.served(id_).scopes == ("User.Read",)


def test_granted_scopes_stay_when_an_answer_does_not_tell_them(opened: Opened) -> None:
    """RFC 6749 section 5.1: an answer without `scope` grants what the last one did."""
    place = opened(SENDING)
    id_ = place.hand_in(scopes=["a", "b"])
    place.server.reply = lambda _: (200, {**PAIR, "scope": "a"})
    place.tick()
    place.server.reply = lambda _: (200, PAIR)
    place.pass_time(3600)
    place.tick()
    assert place.row(id_).granted_scopes == ["a"]


def test_a_new_refresh_token_does_not_inherit_the_end_of_the_old_one(opened: Opened) -> None:
    """Keycloak's `refresh_expires_in: 0` means "no end": the end that was known is the old one's."""
    place = opened('token_url = "{url}/token"')
    id_ = place.hand_in(refresh_token_expires_in=100 * DAY)
    assert place.row(id_).refresh_token_expires_at is not None
    place.server.reply = lambda _: (200, {**PAIR, "refresh_expires_in": 0})
    place.tick()
    assert place.row(id_).refresh_token_expires_at is None


@pytest.mark.parametrize(
    ("clock", "answered"),
    [
        ("sliding", {"access_token": "a"}),
        ("sliding", {"access_token": "a", "refresh_token": None}),
        ("sliding", {"access_token": "a", "refresh_token": "refresh-1"}),
        ("fixed", {"access_token": "a", "refresh_token": "another"}),
    ],
)
def test_an_end_stays_where_the_refresh_token_or_its_clock_does(
    opened: Opened, clock: str, answered: dict[str, object]
) -> None:
    """No refresh token, the same one again, or one whose end counts from the consent."""
    place = opened(f'token_url = "{{url}}/token"\nrefresh_token_clock = "{clock}"')
    id_ = place.hand_in(refresh_token_expires_in=100 * DAY)
    end = place.row(id_).refresh_token_expires_at
    place.server.reply = lambda _: (200, {"expires_in": 3600, **answered})
    place.tick()
    left = place.row(id_).refresh_token_expires_at
    assert left is not None
    assert abs((left - end).total_seconds()) < 60


@pytest.mark.parametrize(
    ("client_auth", "encoded"),
    [
        ("basic", "shop~1:p%25s%2Bs%2F2%3D"),
        ("client_secret_basic", "shop~1:p%25s%2Bs%2F2%3D"),
        ("basic_raw", "shop~1:p%s+s/2="),
    ],
)
def test_basic_is_sent_form_encoded_or_as_it_is(
    opened: Opened, client_auth: str, encoded: str
) -> None:
    """A server that compares Basic as it came is served by `basic_raw`; RFC 7591's names are known."""
    apps = '[apps.acme]\nclient_id = "shop~1"\nclient_secret = "p%s+s/2="'
    place = opened(f'token_url = "{{url}}/token"\nclient_auth = "{client_auth}"', apps)
    place.hand_in()
    place.server.reply = lambda request: (
        (200, PAIR)
        if request.headers["authorization"] == f"Basic {b64encode(encoded.encode()).decode()}"
        else (401, {"error": "invalid_client"})
    )
    assert place.tick()["refreshed"] == 1, b64decode(
        place.server.asked[0].headers["authorization"].split()[1]
    )


def test_named_fields_of_an_answer_are_kept_and_served_beside_the_token(opened: Opened) -> None:
    """A caller finds `instance_url` where the token is; an answer that lacks it leaves the last one."""
    keep = 'keep_fields = ["instance_url", "team.id", "id_token", "count", "absent"]'
    place = opened('token_url = "{url}/token"\n' + keep)
    id_ = place.hand_in()
    brought = {
        "instance_url": "https://acme-new.my.example",
        "team": {"id": "T1"},
        "id_token": "secret-id-token",
        "count": 7,
        "other": "x",
    }
    place.server.reply = lambda _: (200, {**PAIR, **brought})
    place.tick()
    expected = {
        "instance_url": "https://acme-new.my.example",
        "team.id": "T1",
        "count": 7,
        "id_token": "secret-id-token",
    }
    assert place.served(id_).kept_fields == expected
    assert "secret-id-token" not in repr(place.served(id_))
    row = place.row(id_)
    assert row.kept_fields == {k: v for k, v in expected.items() if k != "id_token"}
    assert b"secret-id-token" not in bytes(row.kept_secrets)
    place.server.reply = lambda _: (200, {**PAIR, "instance_url": "https://moved.example"})
    place.pass_time(3600)
    assert place.tick()["refreshed"] == 1
    assert place.row(id_).kept_fields["instance_url"] == "https://moved.example"
    assert place.served(id_).kept_fields == expected | {"instance_url": "https://moved.example"}


TENANTS = """
token_url = "http://localhost:{port}/ccx/{tenant}/token"
revocation_url = "http://localhost:{port}/{tenant}/revoke"
parameters = { user_type = "{user_type}" }
headers = { X-Tenant = "{tenant}" }
placeholders = { tenant = "[a-z0-9_]+", user_type = "Company|Location" }
"""


def test_placeholders_of_a_connection_lead_its_requests(opened: Opened) -> None:
    """They stand in URLs, parameters and headers, each connection with its own values."""
    place = opened(TENANTS)
    for tenant, kind in (("acme_dpt1", "Company"), ("globex", "Location")):
        place.hand_in(external_id=tenant, placeholders={"tenant": tenant, "user_type": kind})
    assert place.tick()["refreshed"] == 2
    seen = {(r.target, r.headers["x-tenant"], r.form["user_type"]) for r in place.server.asked}
    assert seen == {
        ("/ccx/acme_dpt1/token", "acme_dpt1", "Company"),
        ("/ccx/globex/token", "globex", "Location"),
    }


def test_a_stored_value_is_judged_again_for_each_request(opened: Opened) -> None:
    """A row that somebody changed in the database sends no refresh token to another place."""
    place = opened(TENANTS)
    id_ = place.hand_in(placeholders={"tenant": "acme", "user_type": "Company"})
    place.run(
        "update connection set placeholders = placeholders || cast(:p as jsonb)",
        p='{"tenant": "../evil"}',
    )
    place.tick()
    assert place.row(id_).parked_reason == "unbuildable_request"
    assert place.server.asked == []
