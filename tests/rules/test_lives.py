"""A life told in any way: seconds, milliseconds, instants; the shortest counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from refresher.rules import lives
from refresher.rules.answers import read_grant
from tests.rules.samples import DAY, EPOCH, HOUR, NOW, jwt, provider

SOON = NOW + timedelta(seconds=20)
GMT = SOON.strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize(
    ("value", "life"),
    [
        (20, 20.0),
        ("20", 20.0),
        ("20s", 20.0),
        ("20.5s", 20.5),
        (EPOCH + 20, 20.0),
        (str(int(EPOCH + 20)), 20.0),
        (f"{int(EPOCH + 20)}s", 20.0),
        ((EPOCH + 20) * 1e3, 20.0),
        ((EPOCH + 20) * 1e6, 20.0),
        (SOON.isoformat(), 20.0),
        (SOON.strftime("%Y-%m-%dT%H:%M:%SZ"), 20.0),
        (SOON.strftime("%Y-%m-%dT%H:%M:%S.0000000+00:00"), 20.0),
        (SOON.strftime("%Y-%m-%d %H:%M:%S"), 20.0),
        (SOON.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"), 20.0),
        (GMT, 20.0),
        (EPOCH - 20, 0.0),
        (NOW.isoformat(), 0.0),
        (datetime(1990, 1, 1, tzinfo=UTC).isoformat(), None),
        ("9999-12-31T23:59:59Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        (4e9, None),
        ("tomorrow", None),
        ("20 minutes", None),
        ("", None),
    ],
)
def test_a_life_is_told_as_a_number_or_as_an_instant(value: object, life: float | None) -> None:
    """M18: more than ten years is an instant; one that lies ten years off tells nothing (M7)."""
    assert lives.seconds(value, EPOCH) == life


@pytest.mark.parametrize(
    ("value", "life"),
    [
        (3_600_000, HOUR),
        ("3599000", 3_599.0),
        (1_800_000, 1_800.0),
        (HOUR, HOUR),
        (2 * DAY, 2 * DAY),
        (42 * DAY, 42 * DAY / 1_000),
        (120 * DAY, 120 * DAY),
    ],
)
def test_a_thousand_times_the_documented_life_is_milliseconds(value: object, life: float) -> None:
    """M18: Zoho's hour of 3,600,000; a life that is merely longer stays what it is."""
    assert lives.seconds(value, EPOCH, HOUR) == life


@pytest.mark.parametrize(
    ("answer", "life"),
    [
        ({"expires_in": 60}, 60.0),
        ({"expires_in": 3600, "expires_at": EPOCH + 20}, 20.0),
        ({"expires_in": 20, "expires_at": EPOCH + 3600}, 20.0),
        ({"expires_in": 3_600_000, "expires_in_sec": 3600}, 3600.0),
        ({"expires_in": 3600, "expires_at": "2026-03-01T11:00:00"}, 3600.0),
        ({"expires_at": "2026-03-01T12:00:20"}, 20.0),
        ({"expires_at": "2026-03-01T12:00:20", "expires_on": "2026-03-01T12:00:10"}, 10.0),
        ({"expires_in": 3600, "expires_at": 0}, 3600.0),
        ({"expires_in": 3600, "expires_on": "0"}, 3600.0),
        ({"expires_in": 0, "expires_at": EPOCH + 3600}, 0.0),
        ({"expires_in": None, "expires_at": [], "expire_in": 20}, 20.0),
        ({"access_token_expire_in": EPOCH + 20}, 20.0),
        ({"expires_on": str(int(EPOCH + 20))}, 20.0),
        ({"expires_in": "never"}, None),
        ({}, None),
    ],
)
def test_the_shortest_life_that_was_told_counts(
    answer: dict[str, object], life: float | None
) -> None:
    """M18: an instant without its zone only where nothing else tells, no instant at zero."""
    grant = read_grant(provider(), {"access_token": "a", **answer}, EPOCH)
    assert grant is not None
    assert grant.expires_in_seconds == life


def test_the_catalogue_names_the_fields_of_a_life() -> None:
    """A field that only this provider has is read, and the usual ones no more."""
    of = provider(access_token_lifetime_fields=("ttl",))
    grant = read_grant(of, {"access_token": "a", "ttl": 7, "expires_in": 5}, EPOCH)
    assert grant is not None
    assert grant.expires_in_seconds == 7.0


@pytest.mark.parametrize(
    ("answer", "end", "endless"),
    [
        ({"refresh_token_expires_in": 60}, 60.0, False),
        ({"refresh_token_expires_in": 0}, None, True),
        ({"refresh_expires_in": "0"}, None, True),
        ({"refresh_token_expires_in": 0, "refresh_expires_in": 60}, 60.0, False),
        ({"refresh_token_expires_in": ""}, None, False),
        ({"refresh_token_expires_in": True}, None, False),
        ({"refresh_token_expires_in": -1}, None, False),
        ({"refresh_token_expires_at": SOON.isoformat()}, 20.0, False),
        ({"refresh_token_expires_at": EPOCH - 5}, None, False),
        ({}, None, False),
    ],
)
def test_a_refresh_token_s_end_is_told_or_said_to_be_none(
    answer: dict[str, object], end: float | None, endless: bool
) -> None:
    """M18: zero means no end; what makes no sense tells nothing."""
    grant = read_grant(provider(), {"access_token": "a", **answer}, EPOCH)
    assert grant is not None
    assert grant.refresh_token_expires_in_seconds == end
    assert grant.refresh_token_is_endless is endless


def test_a_grant_knows_what_its_token_says_of_itself() -> None:
    """The JWT is read once, where the grant is."""
    grant = read_grant(provider(), {"access_token": jwt({"exp": EPOCH + 20})}, EPOCH)
    assert grant is not None
    assert grant.in_token_seconds == 20.0
