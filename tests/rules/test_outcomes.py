"""What a reply means, as a table. That no reply can do harm is in `test_any_reply.py`."""

import pytest

from refresher.rules.connection import Secret
from refresher.rules.outcomes import (
    UNSENT,
    Malformed,
    Misconfigured,
    Outcome,
    RateLimited,
    Refreshed,
    Reply,
    Revoked,
    Transient,
    classify,
)
from refresher.rules.providers import Provider
from tests.rules.samples import EPOCH, provider, reply

ACME = provider()
ODD = provider(
    dead_grant_errors=frozenset({"bad_refresh_token", "190"}),
    misconfigured_errors=frozenset({"incorrect_client_credentials"}),
    retry_errors=frozenset({"unauthorized_client"}),
)


def meaning(given: Reply, of: Provider = ACME) -> Outcome:
    """Returns what `given` means."""
    return classify(of, given, EPOCH)


@pytest.mark.parametrize(
    "body",
    [
        {"access_token": "a", "refresh_token": "r"},
        {"access_token": "a", "refresh_token": "r", "expires_in": "soon", "scope": 7, "id": {}},
        {"access_token": "a", "refresh_token": "r", "error": "invalid_grant"},
        {"access_token": "a", "refresh_token": "r", "error": {"code": 190}, "ok": True},
        {"access_token": "a", "refresh_token": "r", "token_type": None, "expires_in": -1},
        b"access_token=a&refresh_token=r",
    ],
)
@pytest.mark.parametrize("status", [200, 201, 299])
def test_a_usable_access_token_wins_over_all_that_surrounds_it(body: object, status: int) -> None:
    """M2: no odd field, and no error beside the pair, keeps a rotated refresh token from us."""
    outcome = meaning(reply(body, status))
    assert isinstance(outcome, Refreshed)
    assert outcome.grant.access_token == Secret("a")
    assert outcome.grant.refresh_token == Secret("r")


def test_an_answer_without_refresh_token_is_a_refresh() -> None:
    """M2: the grant has no refresh token then, which means that the stored one stays."""
    outcome = meaning(reply({"access_token": "a", "refresh_token": ""}))
    assert isinstance(outcome, Refreshed)
    assert outcome.grant.refresh_token is None


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403])
def test_invalid_grant_ends_a_connection_at_once(status: int) -> None:
    """M3: some providers say it with status 200 or 403; the code counts, not the status."""
    assert meaning(reply({"error": "invalid_grant"}, status)) == Revoked("invalid_grant", status)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "bad_refresh_token"}, "bad_refresh_token"),
        ({"error": {"message": "x", "type": "OAuthException", "code": 190}}, "190"),
    ],
)
def test_a_provider_s_own_spelling_ends_a_connection(body: object, code: str) -> None:
    """M3: the catalogue lists how a provider says `invalid_grant`; elsewhere that means nothing."""
    assert meaning(reply(body, 400), ODD) == Revoked(code, 400)
    assert meaning(reply(body, 400)) == Transient(f"refused: {code}", None, 400)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
@pytest.mark.parametrize("code", ["invalid_grant", "invalid_client"])
def test_a_provider_in_trouble_ends_nothing(status: int, code: str) -> None:
    """M3: a code in a 5xx, a 429 or a time-out is not believed."""
    outcome = meaning(reply({"error": code}, status))
    assert isinstance(outcome, RateLimited if status == 429 else Transient)


@pytest.mark.parametrize(
    "code",
    [
        "invalid_request",
        "invalid_scope",
        "access_denied",
        "server_error",
        "temporarily_unavailable",
        "INTERNAL",
        "Invalid grant of a kind nobody listed",
    ],
)
def test_a_refusal_nobody_listed_is_tried_again(code: str) -> None:
    """M3: whatever is unclear ends no connection and pauses no app."""
    assert meaning(reply({"error": code}, 400)) == Transient(f"refused: {code}", None, 400)


@pytest.mark.parametrize(
    ("code", "of"),
    [
        ("invalid_client", ACME),
        ("unauthorized_client", ACME),
        ("unsupported_grant_type", ACME),
        ("incorrect_client_credentials", ODD),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401])
def test_a_refused_app_is_the_app_s_fault(code: str, of: Provider, status: int) -> None:
    """M4: these codes are about our client, so no connection is broken by them."""
    assert meaning(reply({"error": code}, status), of) == Misconfigured(code, status)


def test_what_a_provider_means_otherwise_is_only_tried_again() -> None:
    """The catalogue can say that a code which ends or pauses elsewhere does neither here."""
    refused = reply({"error": "unauthorized_client"}, 401)
    assert meaning(refused, ODD) == Transient("refused: unauthorized_client", None, 401)


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        (reply(b"", 429), None),
        (reply(b"", 429, headers={"Retry-After": "30"}), 30.0),
        (reply(b"", 429, headers={"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}), 30.0),
        (reply({"error": "slow_down"}, 400, headers={"Retry-After": "30"}), 30.0),
        (reply({"error": "ratelimited", "ok": False}, 200), None),
    ],
)
def test_being_asked_to_slow_down_is_a_rate_limit(given: Reply, wait: float | None) -> None:
    """M5: a 429, or a code that says so, with the wait when it was told."""
    assert meaning(given) == RateLimited(wait, given.status)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (reply(b"", 500), "status 500"),
        (reply(b"<html>", 503), "status 503"),
        (reply({"access_token": "a"}, 500), "status 500"),
        (reply(b"", 408), "status 408"),
        (reply(b"", 400), "status 400 without an error code"),
        (reply(b"{", 401), "status 401 without an error code"),
        (reply({"message": "no"}, 404), "status 404 without an error code"),
    ],
)
def test_trouble_that_passes_is_transient(given: Reply, reason: str) -> None:
    """M3: 5xx and refusals that nobody can read never end a connection."""
    assert meaning(given) == Transient(reason, None, given.status)


def test_trouble_may_say_how_long_it_lasts() -> None:
    """M5: a 503 with `Retry-After` carries its wait."""
    given = reply(b"", 503, headers={"Retry-After": "90"})
    assert meaning(given) == Transient("status 503", 90.0, 503)


@pytest.mark.parametrize("failure", ["connect", "timeout", "dns", "protocol", "too_large"])
def test_no_answer_is_a_reply_too(failure: str) -> None:
    """M3: a time-out, a refused connection or DNS trouble is transient and counts as an attempt."""
    assert meaning(reply(status=None, failure=failure)) == Transient(failure, counts=True)


def test_a_request_that_never_left_counts_no_attempt() -> None:
    """A full sender or a shutdown is not the provider's doing."""
    assert meaning(reply(status=None, failure=UNSENT, sent=False)) == Transient(
        UNSENT, counts=False
    )


def test_a_silence_without_a_name_is_transient() -> None:
    """Even a reply that says nothing at all has a meaning."""
    assert meaning(Reply()) == Transient("no answer")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (reply(b""), None),
        (reply(b"<html>Welcome</html>"), None),
        (reply({"refresh_token": "r"}), Secret("r")),
        (reply({"refresh_token": "r", "access_token": ""}), Secret("r")),
        (reply({"ok": False, "access_token": "a", "refresh_token": "r"}), Secret("r")),
        (reply(b'{"refresh_token": "r", "expires_in": }'), Secret("r")),
        (reply({"refresh_token": " "}), None),
        (reply({"refresh_token": 7}), None),
        (reply(b"", 204), None),
    ],
)
def test_a_senseless_answer_still_gives_up_its_refresh_token(
    given: Reply, kept: Secret | None
) -> None:
    """M2: a 2xx without an access token is tried again, with the refresh token found in it."""
    expected = Malformed("no access token in the answer", given.status, kept)
    assert meaning(given) == expected


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 399])
def test_a_redirect_is_never_followed(status: int) -> None:
    """M10: a refresh token is not carried to another address; the reply is malformed."""
    given = reply({"access_token": "a"}, status, headers={"Location": "https://elsewhere.example"})
    outcome = meaning(given)
    assert outcome == Malformed(f"redirect with status {status}, which is never followed", status)


def test_a_reply_does_not_show_its_body() -> None:
    """M10: tokens in bodies and headers are not in the reply's `repr`."""
    shown = repr(reply({"access_token": "at-s3cr3t"}, headers={"Set-Cookie": "s3cr3t"}))
    assert "s3cr3t" not in shown
