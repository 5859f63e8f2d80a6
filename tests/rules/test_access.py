"""API keys as values: how they read, when they count, how fast they may ask."""

from datetime import UTC, datetime, timedelta

import pytest

from refresher.rules.access import (
    Actor,
    ApiKey,
    Refusal,
    Scope,
    hashed,
    judge,
    presented,
    standing,
    written,
)
from refresher.rules.connection import Secret
from refresher.rules.limits import Allowance

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECRET = Secret("s" * 43)
ID = "abcdefghijkl"


def key(**more: object) -> ApiKey:
    """Returns a key that counts."""
    fields = {"expires_at": None, "revoked_at": None, **more}
    return ApiKey(ID, "n", None, frozenset({Scope.READ}), hashed(SECRET), NOW, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({}, None),
        ({"expires_at": NOW + timedelta(seconds=1)}, None),
        ({"expires_at": NOW}, Refusal.EXPIRED),
        ({"revoked_at": NOW, "expires_at": NOW}, Refusal.REVOKED),
    ],
)
def test_a_key_counts_until_it_does_not(more, refusal):
    """Revoked or expired, whoever asks: a session's key is judged without its secret."""
    assert standing(key(**more), NOW) is refusal


@pytest.mark.parametrize(
    ("actor", "told", "subject", "about"),
    [
        (Actor(ID), f"by API key {ID}", "key:x", "key:x"),
        (Actor("cli:ann"), "by cli:ann", None, None),
        (
            Actor(ID, "org", "ann@x.example"),
            f"by API key {ID}, ann@x.example",
            None,
            "by ann@x.example",
        ),
        (Actor(ID, None, "ann"), f"by API key {ID}, ann", "key:x", "key:x, by ann"),
    ],
)
def test_who_acts_is_told(actor, told, subject, about):
    """A person whom a proxy names stands beside the key that people share there."""
    assert (actor.told, actor.about(subject)) == (told, about)


def test_a_key_is_read_as_it_is_written():
    """What the owner is shown leads back to id and secret, also where the secret has a `_`."""
    secret = "_a" + "-" * 41
    shown = presented(written(ID, secret).reveal())
    assert shown is not None
    assert (shown.id, shown.secret.reveal()) == (ID, secret)
    assert secret not in repr(shown)


@pytest.mark.parametrize(
    "text", ["", "rfr_", "rfr_abc_def", f"rfr_{ID}_short", f"x{ID}_{'s' * 43}"]
)
def test_what_is_no_key_is_none(text: str):
    """A text of another form never reaches the database."""
    assert presented(text) is None


@pytest.mark.parametrize(
    ("stored", "secret", "verdict"),
    [
        (None, SECRET, Refusal.UNKNOWN),
        (key(), Secret("t" * 43), Refusal.UNKNOWN),
        (key(revoked_at=NOW), Secret("t" * 43), Refusal.UNKNOWN),
        (key(revoked_at=NOW), SECRET, Refusal.REVOKED),
        (key(expires_at=NOW), SECRET, Refusal.EXPIRED),
        (
            key(expires_at=NOW + timedelta(seconds=1)),
            SECRET,
            key(expires_at=NOW + timedelta(seconds=1)),
        ),
        (key(), SECRET, key()),
    ],
)
def test_only_a_living_key_with_its_secret_counts(
    stored: ApiKey | None, secret: Secret, verdict: ApiKey | Refusal
):
    """Who does not know the secret learns nothing of the key, not even that it is revoked."""
    assert judge(stored, secret, NOW) == verdict


def test_a_key_may_send_its_rate_and_one_burst():
    """Ten a second: ten at once, then one each tenth of a second; idle time saves one burst only."""
    allowance = Allowance(10.0, 10.0, 0.0)
    assert [allowance.take(0.0) for _ in range(10)] == [0.0] * 10
    assert allowance.take(0.0) == pytest.approx(0.1)
    assert allowance.take(0.1) == 0.0
    assert allowance.take(0.1) > 0
    assert [allowance.take(100.0) for _ in range(10)] == [0.0] * 10
    assert allowance.take(100.0) > 0


def test_a_rate_below_one_a_second_still_lets_one_pass():
    """A key that may ask once in two seconds can ask."""
    allowance = Allowance(0.5, 1.0, 0.0)
    assert allowance.take(0.0) == 0.0
    assert allowance.take(0.0) == pytest.approx(2.0)
