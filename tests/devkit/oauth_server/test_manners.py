"""What some providers do besides, as options of the server: ends, graces, pace, prolonged tokens."""

from typing import Any

import pytest

from refresher.devkit.oauth_server.tokens import Issued
from tests.devkit.oauth_server.test_grants import NOW, Played, refused, token_of

ENDED = "refresh_token_expired"


@pytest.mark.parametrize(
    ("options", "after_seconds", "reason"),
    [
        ({"grant_lifetime_seconds": 100}, 99, None),
        ({"grant_lifetime_seconds": 100}, 100, ENDED),
        ({"grant_lifetime_seconds": 100, "refresh_token_lifetime_seconds": 50}, 50, ENDED),
        ({"grant_lifetime_seconds": 100, "refresh_token_lifetime_seconds": 500}, 99, None),
        ({"refresh_interval_seconds": 30}, 29, "asked_too_often"),
        ({"refresh_interval_seconds": 30}, 30, None),
    ],
)  # fmt: skip
def test_a_second_refresh_comes_in_time(
    options: dict[str, Any], after_seconds: float, reason: str | None
) -> None:
    """Neither after the end of the grant or of the idle token, nor sooner than the provider allows."""
    played = Played(rotation="none", **options)
    played.good(played.first_token)
    reply = played.refresh(played.first_token, NOW + after_seconds)
    assert (None if isinstance(reply, Issued) else reply.reason) == reason


def test_a_refresh_that_comes_too_soon_is_told_when_to_come() -> None:
    """The refusal has the wait, and the grant is as it was."""
    played = Played(rotation="always", refresh_interval_seconds=30)
    newest = token_of(played.good(played.first_token))
    assert refused(played.refresh(newest, NOW + 10)).retry_after_seconds == 20
    played.good(newest, NOW + 30)


@pytest.mark.parametrize(
    ("ends", "grace_seconds", "used", "after_seconds", "forgiven"),
    [
        ("new_access_token_used", 0, None, 1e6, True),
        ("new_access_token_used", 0, "old access token", 1, True),
        ("new_access_token_used", 0, "access token", 1, False),
        ("new_access_token_used", 60, None, 59, True),
        ("new_access_token_used", 60, None, 60, False),
        ("new_refresh_token_used", 0, "access token", 1e6, True),
        ("new_refresh_token_used", 0, "refresh token", 1, False),
        ("time", 60, "refresh token", 59, True),
    ],
)
def test_a_grace_ends_at_an_event(
    ends: str, grace_seconds: float, used: str | None, after_seconds: float, forgiven: bool
) -> None:
    """The first use of what came ends it, or time does, if it is limited."""
    played = Played(rotation="always", grace_ends=ends, grace_seconds=grace_seconds, reuse="refuse")
    new = played.good(played.first_token)
    match used:
        case "access token":
            assert played.book.use_access_token(new.access_token, NOW, played.options)
        case "old access token":
            assert played.book.use_access_token(played.first.access_token, NOW, played.options)
        case "refresh token":
            played.good(token_of(new))
    again = played.refresh(played.first_token, NOW + after_seconds)
    assert isinstance(again, Issued) is forgiven


def test_an_old_access_token_may_end_with_its_refresh() -> None:
    """Where it does not survive, only the newest opens the resource."""
    played = Played(old_access_token_survives=False)
    new = played.good(played.first_token)
    active = played.book.is_access_active
    assert not active(played.first.access_token, NOW, played.options)
    assert active(new.access_token, NOW, played.options)


def test_a_token_may_be_prolonged() -> None:
    """A refresh tells no other token: the first one lives on, and so does what was sent."""
    played = Played(prolongs=True, lifetime_seconds=60)
    told = played.good(played.first_token, NOW + 50)
    assert told.is_prolonged
    assert told.expires_in_seconds == 60
    assert told.access_token == played.first.access_token
    assert played.book.is_access_active(played.first.access_token, NOW + 109, played.options)
    assert not played.book.is_access_active(played.first.access_token, NOW + 110, played.options)
    assert played.good(played.first_token, NOW + 60).is_prolonged
