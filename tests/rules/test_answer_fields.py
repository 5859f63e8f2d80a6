"""Single fields of a token endpoint's answer: a lifetime, an error code, a wait."""

import time

import pytest

from refresher.rules import error_codes, lives
from refresher.rules.answers import retry_after_seconds
from refresher.rules.error_codes import error_code
from tests.rules.samples import DAY, EPOCH, provider

ACME = provider()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3600, 3600.0),
        (3600.5, 3600.5),
        ("3600", 3600.0),
        (" 3600 ", 3600.0),
        (1, 1.0),
        (lives.MAX_LIFETIME_SECONDS, lives.MAX_LIFETIME_SECONDS),
        (lives.MAX_LIFETIME_SECONDS + 1, None),
        (EPOCH + 1_800, 1_800.0),
        (1e12, None),
        (10**400, None),
        ("9" * 5000, None),
        (float("inf"), None),
        (float("nan"), None),
        ("nan", None),
        (0, 0.0),
        ("0", 0.0),
        (-1, 0.0),
        ("-0.5", 0.0),
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
    """M18: zero and less are "expired already"; what is missing or absurd is none (M7)."""
    assert lives.seconds(value, EPOCH) == seconds


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
        ({"error": "x" * 100}, "x" * error_codes.MAX_CODE_LENGTH),
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
        ("31536000", DAY),
        (str(int(EPOCH) + 30), 30.0),  # an instant, in seconds or milliseconds
        (str(int(EPOCH + 30) * 1000), 30.0),
        (str(int(EPOCH) - 30), 0.0),
        (str(int(EPOCH) + 3 * 86_400), DAY),
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
