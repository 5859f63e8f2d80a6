"""A callback before its code leaves (C24), and what the one answer to the code means (C15)."""

from __future__ import annotations

import hmac
import json
from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.codes import (
    answer_of,
    callback_host,
    kept_of_callback,
    may_go_again,
    refusal,
)
from refresher.rules.connect import Problem, Trouble
from refresher.rules.connection import Reply, Secret
from refresher.rules.consent import Consent, Identity
from refresher.rules.providers import Provider

IDENTITY = Identity(found_in=("answer",), paths=(("id",),))
ACME = Provider(
    "acme", "https://acme.example/token", title="Acme", connect=Consent(identity=IDENTITY)
)
BARE = replace(ACME, connect=None)


def entry(facts: dict[str, Any] | None = None, **consent: Any) -> Provider:
    """Returns the entry with other facts."""
    assert ACME.connect is not None
    return replace(ACME, connect=replace(ACME.connect, **consent), **(facts or {}))


def signed(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    """Returns a callback as Shopify signs it, with the secret "hush"."""
    message = "&".join(f"{name}={text}" for name, text in sorted(pairs))
    return [*pairs, ("hmac", hmac.digest(b"hush", message.encode(), "sha256").hex())]


HOSTS = {"host_pattern": r"[a-z]+\.example"}
ZOHO = entry(HOSTS, host_from_callback="accounts-server")
SHOPIFY = entry(HOSTS, host_from_callback="shop", callback_hmac="hmac")
MINE = ("shop", "mine.example")


@pytest.mark.parametrize(
    ("provider", "pairs", "host", "expected"),
    [
        (BARE, [], "a.example", "a.example"),
        (ACME, [("shop", "b.example")], None, None),
        (ZOHO, [], "us.example", "us.example"),
        (ZOHO, [("accounts-server", "https://eu.example")], "us.example", "eu.example"),
        (ZOHO, [("accounts-server", "https://evil.example.com")], "us.example", Problem.WRONG_HOST),
        (SHOPIFY, signed(MINE, ("code", "c")), "mine.example", "mine.example"),
        (SHOPIFY, signed(MINE, ("code", "c")), None, "mine.example"),
        (SHOPIFY, signed(MINE, ("code", "c")), "other.example", Problem.WRONG_HOST),
        (SHOPIFY, [*signed(MINE), ("code", "c")], "mine.example", Problem.BAD_CALLBACK),
        (SHOPIFY, [MINE], "mine.example", Problem.BAD_CALLBACK),
    ],
)
def test_a_code_goes_to_no_host_that_is_none_of_the_providers(
    provider: Provider, pairs: list[tuple[str, str]], host: str | None, expected: object
):
    """Nor to another shop than the consent was for, nor by a callback that is not signed (T23)."""
    found = callback_host(provider, pairs, host, Secret("hush"))
    assert (found.code if isinstance(found, Trouble) else found) == expected


def test_without_a_secret_no_callback_is_signed():
    """An app that has none cannot know who wrote it."""
    found = callback_host(SHOPIFY, signed(MINE), "mine.example", None)
    assert isinstance(found, Trouble)
    assert found.code is Problem.BAD_CALLBACK


def test_only_what_is_needed_later_is_kept_of_a_callback():
    """What the entry keeps, and what tells the account; the code and the state never."""
    pairs = [("code", "c"), ("state", "s"), ("realmId", "7"), ("shop", "a"), ("owner", "Ann")]
    assert kept_of_callback(BARE, pairs) == {}
    assert kept_of_callback(ACME, pairs) == {}
    assert kept_of_callback(entry(keep_from_callback=("realmId", "code")), pairs) == {
        "realmId": "7"
    }
    told = Identity(found_in=("callback",), paths=(("shop",),), label_path=("owner",))
    assert kept_of_callback(entry(identity=told), pairs) == {"shop": "a", "owner": "Ann"}


def reply(status: int | None = 200, body: object = None, **more: Any) -> Reply:
    """Returns an answer with this JSON, or these bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {}, raw, **more)


UNKNOWN = Problem.OUTCOME_UNKNOWN


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply(body={"access_token": "at"}), None),
        (reply(400, {"error": "invalid_grant"}), Problem.REFUSED_CODE),
        (reply(401, {"error": "invalid_grant"}), Problem.REFUSED_CODE),
        (reply(200, {"error": "invalid_grant"}), Problem.REFUSED_CODE),
        (reply(200, {"error": "bad_verification_code"}), Problem.REFUSED_CODE),
        (reply(400, {"error": "invalid_request"}), Problem.REFUSED_CODE),
        (reply(403, b"no"), Problem.REFUSED_CODE),
        (reply(401, {"error": "invalid_client"}), Problem.APP_WRONG),
        (reply(429, b""), Problem.PROVIDER_TROUBLE),
        (reply(408, b""), UNKNOWN),
        (reply(500, {"error": "server_error"}), UNKNOWN),
        (reply(503, b"<html>"), UNKNOWN),
        (reply(302, b""), UNKNOWN),
        (reply(200, b"garbage"), UNKNOWN),
        (reply(200, b'{"access_token": "at', failure="protocol"), UNKNOWN),
        (reply(400, b'{"error": "inv', failure="protocol"), UNKNOWN),
        (reply(200, {"refresh_token": "rt"}), UNKNOWN),
        (Reply(failure="timeout"), UNKNOWN),
        (Reply(failure="connect", sent=False), Problem.PROVIDER_TROUBLE),
    ],
)  # fmt: skip
def test_what_is_no_token_is_refused_or_unknown(answer: Reply, expected: Problem | None):
    """An answer that says no is a refusal; silence, trouble and garbage leave it open (T17)."""
    found = refusal(ACME, answer, 0.0)
    assert (found and found.code) == expected


def test_nothing_but_tokens_counts_as_an_answer():
    """A provider whose refreshes may prolong a token gives none by that."""
    found = refusal(replace(ACME, prolongs=True), reply(200, {"ok": True}), 0.0)
    assert found == Trouble(UNKNOWN, "Acme, asked for tokens: no token in the answer")


def test_a_sentence_never_repeats_the_code():
    """Some servers echo what was sent."""
    answer = reply(400, {"error": "invalid_grant", "error_description": "code abc is bad"})
    found = refusal(replace(ACME, title=""), answer, 0.0, ("abc", ""))
    assert found is not None
    assert found.sentence == "acme, asked for tokens: refused: invalid_grant (code *** is bad)"


@pytest.mark.parametrize(
    ("paths", "body", "expected"),
    [
        ((), {"access_token": "at"}, "at"),
        (("data", 0), {"data": [{"access_token": "at"}]}, "at"),
        ((("x",), ("data", 0)), {"data": [{"access_token": "at"}]}, "at"),
        ((("data", 0),), {"access_token": "at"}, "at"),
    ],
)
def test_a_codes_tokens_may_stand_elsewhere(paths: Any, body: object, expected: str):
    """The first way that leads to an object counts; without one the answer itself."""
    provider = entry({"response_path": ("data",)} if not paths else {}, code_answer_path=paths)
    assert answer_of(provider, reply(body=body))["access_token"] == expected
    assert refusal(provider, reply(body=body), 0.0) is None
    assert answer_of(BARE, reply(body=body)) == body


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Reply(failure="connect", sent=False), True),
        (Reply(failure="connect_timeout", sent=False), True),
        (Reply(failure="forbidden_address", sent=False), False),
        (Reply(failure="unsendable", sent=False), False),
        (Reply(failure="timeout"), False),
        (Reply(failure="protocol"), False),
        (reply(500), False),
    ],
)
def test_a_code_goes_again_only_where_nothing_left(answer: Reply, expected: bool):
    """A second send may revoke what the first one gave."""
    assert may_go_again(answer) is expected
