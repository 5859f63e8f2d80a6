"""Reading a token endpoint's answer: forgiving in all that is not a token."""

import json
import time

import pytest

from refresher.rules import answers
from refresher.rules.answers import (
    error_code,
    lifetime_seconds,
    read_body,
    read_grant,
    retry_after_seconds,
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
        (b'{"access_token": "a", "note": "two\nlines"}', {"access_token": "a", "note": "two\nlines"}),
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
    body = (
        b'{"extra": %s, "access_token": "a\\u002fb", "refresh_token" :\n"r\\"1"}'  # fmt: skip
        % TOO_DEEP
    )
    assert read_body(body, ()) == {"access_token": "a/b", "refresh_token": 'r"1'}


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
    assert read_grant(ACME, answer) is None


@pytest.mark.parametrize("token", [None, "", "  ", 0, False, [], {"a": 1}])
def test_an_unusable_refresh_token_is_as_if_absent(token: object) -> None:
    """M2: the grant then has none, so that the stored one is kept."""
    grant = read_grant(ACME, {"access_token": "a", "refresh_token": token})
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
    grant = read_grant(ACME, {"access_token": "a", "scope": scope})
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
    grant = read_grant(ACME, {"access_token": "a", **answer})
    assert grant is not None
    assert grant.refresh_token_expires_in_seconds == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3600, 3600.0),
        (3600.5, 3600.5),
        ("3600", 3600.0),
        (" 3600 ", 3600.0),
        (1, 1.0),
        (answers.MAX_LIFETIME_SECONDS, answers.MAX_LIFETIME_SECONDS),
        (answers.MAX_LIFETIME_SECONDS + 1, None),
        (1_800_000_000, None),
        (1e12, None),
        (10**400, None),
        ("9" * 5000, None),
        (float("inf"), None),
        (float("nan"), None),
        ("nan", None),
        (0, None),
        (0.0, None),
        ("0", None),
        (-1, None),
        ("", None),
        ("one hour", None),
        ("0:01:00:00", None),
        (True, None),
        (None, None),
        ([3600], None),
        ({"seconds": 3600}, None),
    ],
)
def test_a_lifetime_is_a_believable_number_of_seconds(value: object, seconds: float | None) -> None:
    """M7: what is missing, zero, negative or absurd is no lifetime, so the fallbacks are asked."""
    assert lifetime_seconds(value) == seconds


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"error": "invalid_grant"}, "invalid_grant"),
        ({"error": " invalid_grant\n"}, "invalid_grant"),
        ({"error": {"message": "x", "type": "OAuthException", "code": 190}}, "190"),
        ({"error": {"message": "x", "type": "OAuthException"}}, "OAuthException"),
        ({"error": {"code": 0, "status": "UNAUTHENTICATED"}}, "UNAUTHENTICATED"),
        ({"error": {"message": "x"}}, None),
        ({"error": {"code": [190]}}, None),
        ({"error": 7}, "7"),
        ({"error": "in\x00valid\u200b_grant\ud800"}, "invalid_grant"),
        ({"error": "x" * 100}, "x" * answers.MAX_CODE_LENGTH),
        ({"error": ""}, None),
        ({"error": "\x00 "}, None),
        ({"error": None}, None),
        ({"error": True}, None),
        ({"error": ["invalid_grant"]}, None),
        ({}, None),
    ],
)
def test_an_error_code_is_short_and_printable(answer: dict[str, object], code: str | None) -> None:
    """A code is read from a text, a number, or the nested error of Meta and Google."""
    assert error_code(ACME, answer) == code


@pytest.mark.parametrize(
    ("path", "answer", "code"),
    [
        (("code",), {"code": 40_105, "error": "x"}, "40105"),
        (("code",), {"code": 0}, None),
        (("code",), {"code": "ok"}, None),
        (("error", "reason"), {"error": {"reason": "gone"}}, "gone"),
        (("error", "reason"), {"error": "invalid_grant"}, None),
    ],
)
def test_an_error_code_is_found_where_the_catalogue_says(
    path: tuple[str, ...], answer: dict[str, object], code: str | None
) -> None:
    """The catalogue names the path, and the codes that mean success."""
    tiktok = provider(error_path=path, success_without_error_codes=frozenset({"0", "ok"}))
    assert error_code(tiktok, answer) == code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"error": "e", "error_description": "Old token used twice"}, "e: old token"),
        ({"error": "e", "error_description": "OLD TOKEN"}, "e: old token"),
        ({"error": "e", "error_description": "Old token is stolen"}, "e: old token is stolen"),
        ({"error": "e", "error_description": "something else"}, "e"),
        ({"error": "e", "error_description": 7}, "e"),
        ({"error": "e"}, "e"),
    ],
)
def test_a_code_listed_with_its_description_is_told_apart(
    answer: dict[str, object], code: str
) -> None:
    """Where one code says two things, the longest listed beginning of the description decides."""
    exact = provider(
        dead_grant_errors=frozenset({"e: old token", "plain"}),
        misconfigured_errors=frozenset({"e: old token is stolen"}),
    )
    assert error_code(exact, answer) == code


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("refresh token 1//0gQ7xYz-abc_defghijklmnop is bad", "refresh token *** is bad"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig9", "***"),
        ("x" * 60 + " 1//0gQ7xYz-abc_defghijklmnop", "x" * 60 + " ***"),
        ("unsupported_grant_type", "unsupported_grant_type"),
        ("AADSTS700082", "AADSTS700082"),
    ],
)
def test_an_error_that_repeats_a_token_is_masked(said: str, shown: str) -> None:
    """M10: codes go into events and logs, so whatever looks like a token is taken out."""
    assert error_code(ACME, {"error": said}) == shown


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("1e9", DAY),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 13:02:00 +0100", 120.0),
        ("Sun, 01 Mar 2026 12:02:00 -0000", 120.0),
        ("Sun, 01 Mar 2026 12:02:00", 120.0),
        ("Sunday, 01-Mar-26 12:02:00 GMT", 120.0),
        ("Sat, 28 Feb 2026 12:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
        ("Fri, 99 Foo 2026 99:99:99 GMT", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("", None),
        ("  ", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    value: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M5: both forms are read, in any time zone of this machine; a day at most, never negative."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert retry_after_seconds({"Retry-After": value}, EPOCH) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
def test_the_header_s_name_is_found_in_any_case(name: str) -> None:
    """Header names have no case."""
    assert retry_after_seconds({"Date": "x", name: "7"}, EPOCH) == 7.0


def test_without_the_header_no_wait_is_asked() -> None:
    """No header is not the same as a wait of zero."""
    assert retry_after_seconds({"Content-Type": "application/json"}, EPOCH) is None
