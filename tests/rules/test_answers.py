"""Reading a token endpoint's answer: the body, and the grant in it."""

import json

import pytest

from refresher.rules.answers import (
    read_body,
    read_grant,
)
from refresher.rules.connection import Secret
from tests.rules.samples import DAY, EPOCH, HOUR, provider

ACME = provider()
TOO_DEEP = b"[" * 20_000 + b"]" * 20_000


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"access_token": "a", "expires_in": 3600}', {"access_token": "a", "expires_in": 3600}),
        (b'\xef\xbb\xbf \n{"access_token": "a"}\r\n', {"access_token": "a"}),
        (b'{"access_token": "a", "name": "caf\xe9"}', {"access_token": "a", "name": "caf\ufffd"}),
        (
            b'{"access_token": "a", "note": "two\nlines"}',
            {"access_token": "a", "note": "two\nlines"},
        ),
        (b"access_token=a&scope=r%2Cw&refresh_token=", {"access_token": "a", "scope": "r,w"}),
        (b"access_token=a%26b&expires_in=60\n", {"access_token": "a&b", "expires_in": "60"}),
        (b"", {}),
        (b"null", {}),
        (b'["access_token", "a"]', {}),
        (b"Bad Gateway", {}),
        (b"\x00\xff\xfe", {}),
        (b'{"access_token": "a"', {}),
        (b"{" + TOO_DEEP, {}),
    ],
)
def test_a_body_is_read_as_json_or_as_a_form(body: bytes, read: dict[str, object]) -> None:
    """JSON, with or without a byte order mark, else a form; what is neither is empty."""
    assert read_body(body, ()) == read


@pytest.mark.parametrize(
    "page",
    [
        b"<html>moved: https://acme.example/refresh?grant_type=x&access_token=old</html>",
        b"https://acme.example/refresh?x=1&access_token=old</p>",
        b"no such page: /refresh?x=1&access_token=old",
        b"'/refresh?x=1&access_token=old'",
    ],
)
def test_a_page_that_repeats_our_address_grants_nothing(page: bytes) -> None:
    """M2: a proxy's page with our own token in a link never replaces the token."""
    assert read_body(page, ()) == {}


def test_a_number_of_any_length_does_not_hide_the_tokens() -> None:
    """M2: a field of ten thousand digits is not needed, and the tokens beside it are read."""
    body = b'{"account": %s, "n": -%s, "access_token": "a"}' % (b"7" * 10_000, b"7" * 10_000)
    assert read_body(body, ())["access_token"] == "a"


def test_nesting_of_any_depth_does_not_hide_the_tokens() -> None:
    """M2: JSON too deep for the parser still gives its tokens, with escapes resolved."""
    body = b'{"extra": %s, "access_token": "a\\u002fb", "refresh_token" :\n"r\\"1"}'
    answer = read_body(body % TOO_DEEP, ())
    assert (answer["access_token"], answer["refresh_token"]) == ("a/b", 'r"1')


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (
            b'{"access_token": "a", "refresh_token": "r", "expires_in": ,}',
            {"access_token": "a", "refresh_token": "r"},
        ),
        (b'{"expires_in": 1 "refresh_token": "r", "access_to', {"refresh_token": "r"}),
        (b'{"access_token": "a", "expires_in": 3600, "refresh_tok', {}),
        (b'{"access_token": "a", "refresh_token": "cut of', {}),
        (b'{"refresh_token": "\\x", "refresh_token": "r", oops}', {"refresh_token": "r"}),
    ],
)
def test_of_broken_json_only_a_whole_refresh_token_counts(
    body: bytes, read: dict[str, object]
) -> None:
    """A rotated refresh token is rescued; a pair whose refresh token was cut off is not taken."""
    assert read_body(body, ()) == read


@pytest.mark.parametrize(
    ("given", "token"),
    [
        ({"data": {"access_token": "in"}}, "in"),
        ({"data": {"access_token": "in"}, "access_token": "out"}, "in"),
        ({"data": None, "access_token": "out"}, "out"),
        ({"data": ["x"], "access_token": "out"}, "out"),
        ({"access_token": "out"}, "out"),
    ],
)
def test_fields_are_found_at_the_path_and_around_it(given: object, token: str) -> None:
    """The object at the response path wins; what stands around it stays readable."""
    assert read_body(json.dumps(given).encode(), ("data",))["access_token"] == token


def test_a_path_may_have_several_steps() -> None:
    """Each step of the path leads one object further in."""
    answer = read_body(b'{"a": {"b": {"access_token": "t"}}, "code": 0}', ("a", "b"))
    assert (answer["access_token"], answer["code"]) == ("t", 0)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": None},
        {"access_token": ""},
        {"access_token": " \n"},
        {"access_token": 7},
        {"access_token": True},
        {"access_token": ["a"]},
        {"access_token": {"token": "a"}},
        {"ok": False, "access_token": "a"},
    ],
)
def test_without_a_usable_access_token_nothing_is_granted(answer: dict[str, object]) -> None:
    """M2: an empty, null or odd access token never passes for one; nor does Slack's `ok: false`."""
    assert read_grant(ACME, answer, EPOCH) is None


@pytest.mark.parametrize("token", [None, "", "  ", "null", " Undefined", 0, False, [], {"a": 1}])
def test_an_unusable_refresh_token_is_as_if_absent(token: object) -> None:
    """M2: the grant then has none, so that the stored one is kept."""
    grant = read_grant(ACME, {"access_token": "a", "refresh_token": token}, EPOCH)
    assert grant is not None
    assert grant.refresh_token is None


def test_a_whole_grant_is_read() -> None:
    """Tokens, both lives and scopes are read under their standard names."""
    grant = read_grant(
        ACME,
        {
            "access_token": "a",
            "refresh_token": "r",
            "expires_in": "3600",
            "refresh_token_expires_in": 86_400,
            "scope": "read write",
        },
        EPOCH,
    )
    assert grant is not None
    assert (grant.access_token, grant.refresh_token) == (Secret("a"), Secret("r"))
    assert (grant.expires_in_seconds, grant.refresh_token_expires_in_seconds) == (HOUR, DAY)
    assert grant.scopes == ("read", "write")


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("read write", ("read", "write")),
        ("read,write, admin", ("read", "write", "admin")),
        (["read", 7, "write"], ("read", "write")),
        ("read\x00 \ud800 write", ("write",)),
        ("", None),
        ("\x00", None),
        ([], None),
        ({"read": True}, None),
        (7, None),
        (None, None),
    ],
)
def test_scopes_are_a_text_or_a_list(scope: object, scopes: tuple[str, ...] | None) -> None:
    """Scopes that Postgres would refuse are left out: they must not keep the tokens from it."""
    grant = read_grant(ACME, {"access_token": "a", "scope": scope}, EPOCH)
    assert grant is not None
    assert grant.scopes == scopes


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ({"refresh_token_expires_in": 60}, 60.0),
        ({"refresh_expires_in": 60}, 60.0),
        ({"x_refresh_token_expires_in": "60"}, 60.0),
        ({"refresh_token_expires_in": 0, "refresh_expires_in": 60}, 60.0),
        ({"refresh_expires_in": 0}, None),
        ({}, None),
    ],
)
def test_a_refresh_token_s_own_life_has_several_names(
    answer: dict[str, object], seconds: float | None
) -> None:
    """M9: the first name with a usable life counts; zero (Keycloak: no end) is none."""
    grant = read_grant(ACME, {"access_token": "a", **answer}, EPOCH)
    assert grant is not None
    assert grant.refresh_token_expires_in_seconds == seconds
