"""The shapes of answers and requests as tables, and the options that choose them. No server."""

import base64
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest

from refresher.devkit.oauth_server import FaultRule, Options
from refresher.devkit.oauth_server.answers import (
    ODD_FIELDS,
    fault_answer,
    issued_answer,
    refused_answer,
)
from refresher.devkit.oauth_server.decision import (
    credentials,
    is_known_client,
    parameters,
    presented_token,
)
from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.options import ExpiresInStyle, Mistake, read_as
from refresher.devkit.oauth_server.tokens import Denied, Issued, Mint

NOW = 1_700_000_000.0
ISSUED = GrantBook(Mint(b"k" * 32)).grant("acct-0", NOW, Options(lifetime_seconds=20))
REFUSED = Denied("invalid_grant", "spent_token")


def told(issued: Issued = ISSUED, fault: FaultRule | None = None, **options: object) -> Any:
    """Returns the parsed JSON of a token answer."""
    return orjson.loads(issued_answer(issued, Options().changed(options), fault).body)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("number", b'"expires_in":20'),
        ("string", b'"expires_in":"20"'),
        ("float", b'"expires_in":20.0'),
        ("zero", b'"expires_in":0'),
        ("negative", b'"expires_in":-20'),
        ("absurd", b'"expires_in":1000000000000'),
    ],
)
def test_expires_in_is_written_as_asked(style: ExpiresInStyle, text: bytes) -> None:
    """Each style writes expires_in to the letter."""
    assert text in issued_answer(ISSUED, Options(expires_in_style=style)).body


def test_expires_in_can_be_missing() -> None:
    """The style "missing" leaves the field out; the tokens are there."""
    assert sorted(told(expires_in_style="missing")) == [
        "access_token",
        "refresh_token",
        "token_type",
    ]


def test_a_refresh_tokens_life_is_told() -> None:
    """A provider with a refresh token lifetime tells refresh_token_expires_in in whole seconds."""
    options = Options(refresh_token_lifetime_seconds=90)
    issued = GrantBook(Mint(b"k" * 32)).grant("acct-0", NOW, options)
    assert told(issued)["refresh_token_expires_in"] == 90
    assert "refresh_token_expires_in" not in told()


def test_an_answer_can_be_nested() -> None:
    """With nested_under, the whole token answer sits in one object of that name."""
    assert told(nested_under="data") == {"data": told()}


def test_an_answer_can_be_a_form() -> None:
    """With response_format=form, tokens and errors come form-encoded."""
    options = Options(response_format="form", nested_under="data")
    good, bad = issued_answer(ISSUED, options), refused_answer(REFUSED, options)
    assert good.media_type == bad.media_type == "application/x-www-form-urlencoded"
    assert parse_qs(good.body.decode())["access_token"] == [ISSUED.access_token]
    assert parse_qs(bad.body.decode())["error"] == ["invalid_grant"]


@pytest.mark.parametrize(
    ("code", "configured", "status"),
    [
        ("invalid_grant", 400, 400),
        ("invalid_grant", 403, 403),
        ("invalid_grant", 200, 200),
        ("invalid_client", 400, 401),
        ("invalid_client", 200, 200),
    ],
)
def test_errors_have_the_configured_status(code: str, configured: int, status: int) -> None:
    """error_status is every error's status, but a wrong client is 401 where it was left alone."""
    answer = refused_answer(Denied(code, "some_reason"), Options(error_status=configured))
    assert answer.status == status
    assert orjson.loads(answer.body)["error"] == code


def test_long_lived_exchanges_err_in_their_own_way() -> None:
    """Long-lived exchanges answer errors as an object with code 190, or as RFC 6749 if asked."""
    meta = orjson.loads(refused_answer(REFUSED, Options(), is_long_lived=True).body)
    assert meta["error"]["code"] == 190
    plain = refused_answer(REFUSED, Options(long_lived_errors="oauth"), is_long_lived=True)
    assert orjson.loads(plain.body)["error"] == "invalid_grant"


def test_huge_answers_are_padded_and_good() -> None:
    """A huge answer of half a megabyte holds the same tokens."""
    answer = issued_answer(ISSUED, Options(), FaultRule("huge", megabytes=0.5))
    assert len(answer.body) > 500_000
    assert orjson.loads(answer.body)["access_token"] == ISSUED.access_token


def test_extra_fields_leave_the_tokens_alone() -> None:
    """Odd extra fields come beside valid tokens."""
    body = told(fault=FaultRule("extra_fields"))
    assert body["refresh_token"] == ISSUED.refresh_token
    assert ODD_FIELDS.items() <= body.items()


def test_other_names_hide_the_tokens_from_whoever_reads_rfc_6749() -> None:
    """The same tokens come, and no field is called as the standard says."""
    body = told(fault=FaultRule("other_names"))
    assert body["refreshToken"] == ISSUED.refresh_token
    assert body.keys() == {"accessToken", "tokenType", "expiresIn", "refreshToken"}


@pytest.mark.parametrize("kind", ["status_429", "status_503"])
def test_retry_after_comes_in_both_styles(kind: str) -> None:
    """Retry-After is told in seconds or as an HTTP date in the provider's clock, or not at all."""
    in_seconds = read_as(FaultRule, {"kind": kind, "retry_after_seconds": 90})
    as_date = read_as(
        FaultRule, {"kind": kind, "retry_after_seconds": 90, "retry_after_style": "http_date"}
    )
    silent = read_as(FaultRule, {"kind": kind})
    assert fault_answer(in_seconds, Options(), NOW).headers["Retry-After"] == "90"
    date = fault_answer(as_date, Options(), NOW).headers["Retry-After"]
    assert parsedate_to_datetime(date).timestamp() == NOW + 90
    assert "Retry-After" not in fault_answer(silent, Options(), NOW).headers


@pytest.mark.parametrize(
    ("query", "content_type", "body"),
    [
        ("", "application/x-www-form-urlencoded", b"grant_type=refresh_token&refresh_token=t"),
        ("", "application/json", b'{"grant_type":"refresh_token","refresh_token":"t"}'),
        ("grant_type=refresh_token&refresh_token=t", "", b""),
        ("refresh_token=loses", "", b"grant_type=refresh_token&refresh_token=t"),
    ],
)
def test_parameters_come_by_any_road(query: str, content_type: str, body: bytes) -> None:
    """Form, JSON and query are read alike; the body wins over the query."""
    assert presented_token(parameters(query, content_type, body)) == "t"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b'{"refresh_token": 5}', b"\xff"])
def test_an_unreadable_body_is_empty(body: bytes) -> None:
    """A body that is no JSON object of texts presents nothing."""
    assert presented_token(parameters("", "application/json", body)) is None


@pytest.mark.parametrize(
    ("grant_type", "field"),
    [
        ("refresh_token", "refresh_token"),
        ("th_refresh_token", "access_token"),
        ("ig_refresh_token", "access_token"),
        ("fb_exchange_token", "fb_exchange_token"),
    ],
)
def test_each_grant_names_its_token(grant_type: str, field: str) -> None:
    """The presented token is read from the field that its grant type uses."""
    assert presented_token({"grant_type": grant_type, field: "t"}) == "t"


def basic(raw: str) -> str:
    """Returns an HTTP Basic header."""
    return "Basic " + base64.b64encode(raw.encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "params", "expected"),
    [
        (basic("app:secret"), {}, ("app", "secret")),
        (basic("app%3A1:s%26+t"), {}, ("app:1", "s& t")),
        ("", {"client_id": "app", "client_secret": "secret"}, ("app", "secret")),
        ("Basic !!!", {"client_id": "app", "client_secret": "secret"}, ("", "")),
        ("", {}, ("", "")),
    ],
)
def test_the_client_is_read_from_basic_or_the_body(
    authorization: str, params: dict[str, str], expected: tuple[str, str]
) -> None:
    """HTTP Basic (form-encoded halves) comes before the body; a broken header is nobody."""
    assert credentials(authorization, params) == expected


@pytest.mark.parametrize(
    ("client_id", "secret", "is_known"),
    [("app", "secret", True), ("app", "sécret", False), ("app", "", False), ("", "", False)],
)
def test_only_the_right_secret_is_known(client_id: str, secret: str, is_known: bool) -> None:
    """A client is known by its own secret alone."""
    assert is_known_client(client_id, secret, {"app": "secret"}) is is_known


@pytest.mark.parametrize(
    ("patch", "named"),
    [
        ({"rotation": "never"}, "rotation"),
        ({"lifetime_seconds": 0}, "lifetime_seconds"),
        ({"lifetime_seconds": "soon"}, "lifetime_seconds"),
        ({"rotation_probability": 1.5}, "rotation_probability"),
        ({"rotation_every_nth": 0}, "rotation_every_nth"),
        ({"error_status": 42}, "error_status"),
        ({"life_time": 3}, "life_time"),
    ],
)
def test_an_impossible_option_is_refused(patch: dict[str, object], named: str) -> None:
    """A wrong option is refused in one sentence that names it."""
    with pytest.raises(Mistake, match=named) as caught:
        Options().changed(patch)
    assert "\n" not in str(caught.value)


def test_the_client_secret_does_not_show() -> None:
    """Neither the repr nor the public view of options holds the secret."""
    options = Options(client_secret="hush-hush")
    assert "hush-hush" not in repr(options)
    assert "hush-hush" not in str(options.public())
