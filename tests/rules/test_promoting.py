"""Whether a held answer becomes a connection: account (C21), scopes (C22), refresh token (C23)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.accounts import Account
from refresher.rules.connect import Problem, Trouble
from refresher.rules.consent import Consent, Identity
from refresher.rules.promoting import Accepted, Came, Stored, Wanted, judge, missing_scopes
from refresher.rules.providers import Provider, Strategy

CONSENT = Consent(identity=Identity(found_in=("answer",), paths=(("id",),)))
ACME = Provider("acme", "https://acme.example/token", title="Acme", connect=CONSENT)
SOMETIMES = replace(ACME, connect=replace(CONSENT, refresh_token="sometimes"))
ANN, BEN = Account("7", "ann@acme.example"), Account("8", "ben@acme.example")
CAME = Came(ANN, True, ("a", "b"), ("a", "b"), "default", None)
STORED = Stored("7", "ann@acme.example", has_refresh_token=True)
GOOD = Accepted(("a", "b"))
NO_TOKEN = {"has_refresh_token": False}


def judged(
    stored: Stored | None,
    came: dict[str, Any],
    wanted: dict[str, Any] | None = None,
    provider: Provider = ACME,
) -> object:
    """Returns the verdict, of a refusal its code alone."""
    verdict = judge(provider, stored, replace(CAME, **came), Wanted(**(wanted or {})))
    return verdict.code if isinstance(verdict, Trouble) else verdict


@pytest.mark.parametrize(
    ("stored", "came", "wanted", "expected"),
    [
        (None, {}, {}, GOOD),
        (STORED, {}, {}, GOOD),
        (STORED, {"account": BEN}, {}, Problem.WRONG_ACCOUNT),
        (STORED, {"account": BEN}, {"allow_account_change": True},
         replace(GOOD, account_changed=True)),
        (replace(STORED, account=None), {}, {}, replace(GOOD, account_learned=True)),
        (None, {"account": None}, {}, GOOD),
        (None, {"account": None}, {"named": False}, Problem.ACCOUNT_UNKNOWN),
        (STORED, {"account": None}, {}, Problem.ACCOUNT_UNKNOWN),
        (STORED, {"account": None}, {"confirmed": True}, Problem.ACCOUNT_UNKNOWN),
        (STORED, {"account": None}, {"confirmed": True, "allow_account_change": True}, GOOD),
        (replace(STORED, account=None), {"account": None}, {}, Problem.ACCOUNT_UNKNOWN),
        (replace(STORED, account=None), {"account": None}, {"confirmed": True}, GOOD),
    ],
)  # fmt: skip
def test_a_connection_keeps_its_account(
    stored: Stored | None, came: dict[str, Any], wanted: dict[str, Any], expected: object
):
    """Another one changes nothing unless the session says so; an unknown one is learned (C21)."""
    assert judged(stored, came, wanted) == expected


def test_a_wrong_account_is_told_with_both_labels():
    """Who came in full, who is wanted masked; without labels the id, and nothing."""
    verdict = judge(ACME, STORED, replace(CAME, account=BEN), Wanted())
    assert isinstance(verdict, Trouble)
    assert verdict.detail == {"used": "ben@acme.example", "wanted": "a•••@acme.example"}
    assert "Acme" in verdict.sentence
    bare = replace(STORED, account_label=None)
    verdict = judge(replace(ACME, title=""), bare, replace(CAME, account=Account("8")), Wanted())
    assert isinstance(verdict, Trouble)
    assert verdict.detail == {"used": "8"}
    assert "acme" in verdict.sentence


@pytest.mark.parametrize(
    ("asked", "granted", "aliases", "missing"),
    [
        (("a", "b"), None, {}, ()),
        (("a", "b"), ("a",), {}, ("b",)),
        (("a", "b"), ("b", "a", "c"), {}, ()),
        (("openid", "offline_access", "a"), ("a",), {}, ()),
        (("email",), ("https://acme.example/email",), {"email": "https://acme.example/email"}, ()),
        (("email",), ("email",), {"email": "https://acme.example/email"}, ()),
        (("email",), ("a",), {"email": "https://acme.example/email"}, ("email",)),
    ],
)
def test_a_scope_is_missing_where_an_answer_names_others(
    asked: tuple[str, ...],
    granted: tuple[str, ...] | None,
    aliases: dict[str, str],
    missing: tuple[str, ...],
):
    """No word of scopes means as asked; the entry's own names for them count (C22)."""
    assert missing_scopes(replace(CONSENT, scope_aliases=aliases), asked, granted) == missing


def test_only_a_required_scope_refuses():
    """What else is missing is stored as missing, and not among the scopes of the connection (T15)."""
    less = {"granted": ("a",)}
    assert judged(None, less) == Accepted(("a",), ("b",))
    assert judged(None, less, {"required_scopes": ("a",)}) == Accepted(("a",), ("b",))
    assert judged(None, less, {"required_scopes": ("b",)}) is Problem.SCOPE_MISSING
    verdict = judge(ACME, None, replace(CAME, granted=()), Wanted(("b", "a")))
    assert isinstance(verdict, Trouble)
    assert verdict.detail == {"missing_scopes": ["b", "a"]}


@pytest.mark.parametrize(
    ("stored", "came", "wanted", "expected"),
    [
        (STORED, {}, {}, GOOD),
        (replace(STORED, host="eu.example"), {"host": "eu.example"}, {}, GOOD),
        (replace(STORED, account=None), {}, {}, None),
        (replace(STORED, needs_reconnect=True), {}, {}, None),
        (replace(STORED, has_refresh_token=False), {}, {}, None),
        (replace(STORED, app_name="other"), {}, {}, None),
        (replace(STORED, host="eu.example"), {}, {}, None),
        (STORED, {"account": BEN}, {"allow_account_change": True}, None),
        (None, {}, {}, None),
    ],
)
def test_a_stored_refresh_token_is_kept_only_of_the_same_grant(
    stored: Stored | None, came: dict[str, Any], wanted: dict[str, Any], expected: Accepted | None
):
    """Same account beyond doubt, same app and host, and alive; else failure, or it is dropped (T14)."""
    assert judged(stored, {**NO_TOKEN, **came}, wanted) == (expected or Problem.NO_REFRESH_TOKEN)
    verdict = judged(stored, {**NO_TOKEN, **came}, wanted, SOMETIMES)
    assert isinstance(verdict, Accepted)
    assert verdict.drops == (expected is None)


def test_a_token_that_is_its_own_grant_needs_no_other():
    """Whatever the entry says of refresh tokens."""
    provider = replace(ACME, strategy=Strategy.LONG_LIVED_EXCHANGE)
    assert judged(None, NO_TOKEN, provider=provider) == replace(GOOD, drops=True)


def test_a_default_host_is_the_same_as_none():
    """A connection that names no host is at the entry's own."""
    provider = replace(ACME, default_host="acme.example")
    at_home = {**NO_TOKEN, "host": "acme.example"}
    assert judged(STORED, at_home, provider=provider) == GOOD
