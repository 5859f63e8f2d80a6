"""Resume links: only ours, only whole, and only for what waits."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

import pytest

from refresher.rules.connection import Status
from refresher.rules.resume_links import (
    PREFIX,
    Link,
    LinkRefusal,
    Reconnect,
    Resume,
    Waiting,
    decide,
    recorded,
    sign,
    verify,
)

KEYS = {b"aaaa": b"a" * 32, b"bbbb": b"b" * 32}
LINK = Link(UUID(int=7), UUID(int=9), 1_900_000_000)
GOOD = sign(LINK, b"aaaa", KEYS[b"aaaa"])


def changed(position: int, byte: int = 1) -> str:
    """The good link with one bit of one byte turned."""
    whole = bytearray(urlsafe_b64decode(GOOD.removeprefix(PREFIX) + "="))
    whole[position] ^= byte
    return PREFIX + urlsafe_b64encode(whole).decode().rstrip("=")


@pytest.mark.parametrize("key_id", KEYS)
def test_a_link_that_we_signed_is_read_back(key_id: bytes):
    """With any key that is held, also one that signs no more."""
    assert verify(sign(LINK, key_id, KEYS[key_id]), KEYS) == LINK


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        GOOD[:-1],
        GOOD + "A",
        GOOD + "=",
        " " + GOOD,
        GOOD + "\n",
        GOOD.removeprefix(PREFIX),
        GOOD.replace("rsm_", "rsx_"),
        PREFIX + "A" * 103,
        PREFIX + "ä" * 103,
        GOOD[:20] + "!" + GOOD[21:],
        sign(LINK, b"aaaa", KEYS[b"bbbb"]),
        sign(LINK, b"cccc", b"\x00" * 32),
    ],
)
def test_what_is_none_of_ours_is_refused(text: str):
    """Texts of any shape, links of another key, and of a key that nobody holds."""
    assert verify(text, KEYS) is None


@pytest.mark.parametrize("position", [0, 1, 5, 20, 21, 36, 37, 44, 45, 60, 76])
def test_no_bit_of_a_link_can_be_changed(position: int):
    """Version, key, id, connection, end and signature are all covered."""
    assert verify(changed(position), KEYS) is None


def test_a_link_has_one_spelling():
    """A last character that decodes to the same bytes is another text, and no link."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = GOOD[:-1] + alphabet[alphabet.index(GOOD[-1]) ^ 1]

    assert urlsafe_b64decode(twin[4:] + "=") == urlsafe_b64decode(GOOD[4:] + "=")
    assert verify(twin, KEYS) is None


IDLE = Waiting(Status.ACTIVE, "idle", None)
PAUSED = Waiting(Status.ACTIVE, "parked", "paused", paused=True)
MID = Waiting(Status.ACTIVE, "parked", "mid_oauth", in_between_steps=True)
DEAD = Waiting(Status.RECONNECT_REQUIRED, "parked", "reconnect_required")
OVER = Waiting(Status.ACTIVE, "parked", "reconnect_required")
STUCK = Waiting(Status.ACTIVE, "parked", "crash_loop")
EMPTY = Waiting(Status.ACTIVE, "parked", "nothing_to_refresh_with")
UNREADABLE = Waiting(Status.ACTIVE, "parked", "undecryptable")
PAUSED_DEAD = Waiting(Status.RECONNECT_REQUIRED, "parked", "paused", paused=True)
OFF = Waiting(Status.RECONNECT_REQUIRED, "parked", "disabled", paused=True, disabled=True)
SIBLING = Waiting(Status.ACTIVE, "idle", None, is_sibling=True)


@pytest.mark.parametrize(
    ("waiting", "has_tokens", "retry", "expected"),
    [
        (IDLE, False, False, "not_waiting"),
        (IDLE, False, True, "not_waiting"),
        (IDLE, True, False, "not_waiting"),
        (STUCK, True, False, "not_waiting"),
        (EMPTY, True, False, Reconnect()),
        (EMPTY, False, False, Resume()),
        (UNREADABLE, True, False, Reconnect()),
        (PAUSED, False, False, Resume()),
        (PAUSED, True, False, "not_waiting"),
        (PAUSED_DEAD, True, False, Reconnect()),
        (MID, False, False, "tokens_needed"),
        (MID, False, True, "tokens_needed"),
        (MID, True, False, Reconnect()),
        (DEAD, False, False, "tokens_needed"),
        (DEAD, False, True, Resume()),
        (DEAD, True, True, Reconnect()),
        (OVER, False, False, "tokens_needed"),
        (OVER, False, True, Resume()),
        (STUCK, False, False, Resume()),
        (OFF, True, True, "not_waiting"),
        (SIBLING, True, False, "not_waiting"),
    ],
)
def test_what_a_link_does(waiting, has_tokens, retry, expected):
    """It ends waiting and nothing else; refused tokens are tried again only on request."""
    decision = decide(waiting, has_tokens=has_tokens, retry=retry)

    assert (decision.code if isinstance(decision, LinkRefusal) else decision) == expected


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        (IDLE, Reconnect()),
        (PAUSED, Reconnect()),
        (STUCK, Reconnect()),
        (DEAD, Reconnect()),
        (OFF, "not_waiting"),
        (SIBLING, "not_waiting"),
    ],
)
def test_a_link_that_may_replace_tokens_takes_them(waiting, expected):
    """Whatever the connection waits for, but not while it is switched off or uses another's grant."""
    decision = decide(waiting, has_tokens=True, retry=False, replaces_tokens=True)

    assert (decision.code if isinstance(decision, LinkRefusal) else decision) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, {}),
        ({"retry": True, "tokens": {"access_token": "t0ken"}}, {}),
        ({"who": "Ann", "n": [1, None, 2.5, True]}, {"who": "Ann", "n": [1, None, 2.5, True]}),
        ({"a": {"access_token": "x", "ok": 1}}, {"a": {"access_token": "***", "ok": 1}}),
        ({"Client-Secret": {"deep": 1}}, {"Client-Secret": "***"}),
        ({"code": "c", "postcode": "12345"}, {"code": "***", "postcode": "12345"}),
        ({"note": "it is t0ken."}, {"note": "it is ***."}),
        ({"t0ken": 1, "list": ["t0ken"]}, {"***": 1, "list": ["***"]}),
        ({"nul": "a\x00b"}, {"nul": "ab"}),
    ],
)
def test_what_is_written_down_holds_no_secret(payload, expected):
    """Tokens, what is called like a secret, and any text that repeats a token are left out."""
    assert recorded(payload, frozenset({"t0ken"})) == expected


def test_a_payload_that_nests_without_end_is_refused():
    """A thousand brackets are no payload."""
    deep: dict[str, object] = {}
    for _ in range(30):
        deep = {"a": deep}

    with pytest.raises(ValueError, match="deeper than 20 levels"):
        recorded(deep, frozenset())
