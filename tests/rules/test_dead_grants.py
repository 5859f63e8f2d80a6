"""How a dead grant is told: codes with a head or a tail, in lists, behind any status, in words."""

from __future__ import annotations

import json

import pytest

from refresher.rules.error_codes import error_detail
from refresher.rules.outcomes import Misconfigured, Revoked, Transient, classify
from refresher.rules.providers import Path, Provider
from tests.rules.samples import EPOCH, provider, reply

FITBIT = {"errors": [{"errorType": "invalid_grant", "message": "Refresh token invalid: abc"}]}
STRAVA = {
    "message": "Bad Request",
    "errors": [{"resource": "RefreshToken", "field": "refresh_token", "code": "invalid"}],
}


@pytest.mark.parametrize(
    "code",
    [
        "invalid_grant: Token is expired or invalid.",
        "invalid_grant Token is expired",
        "invalid_grant.",
        "Invalid_Grant: x",
        "failed to refresh token: invalid_grant",
        "failed to refresh token: " + "x" * 80 + ": invalid_grant",
        " invalid_grant\n",
    ],
)
def test_a_dead_grant_told_with_words_around_it_is_one(code: str) -> None:
    """M3: the standard code at the beginning, or at the end of a sentence behind a colon."""
    assert classify(provider(), reply({"error": code}, 400), EPOCH) == Revoked("invalid_grant", 400)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "server_error", "error_description": "upstream said invalid_grant"},
        {"error": "server_error: invalid_grant"},
        {"error": "upstream said invalid_grant and more"},
        {"error": "invalid_grant_type"},
        {"error": "not_invalid_grant"},
        {"error": "the code invalid_grant was seen: retry"},
    ],
)
def test_a_mention_of_the_code_ends_nothing(answer: dict[str, str]) -> None:
    """M3: a description, another code or a sentence that merely mentions it is tried again."""
    assert isinstance(classify(provider(), reply(answer, 400), EPOCH), Transient)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "invalid_grant: Token is locked for now"},
        {"error": "invalid_grant", "error_description": "Token is locked for now"},
        {"error": "refresh failed: invalid_grant", "error_description": "Token is locked"},
    ],
)
def test_an_exception_of_the_catalogue_wins(answer: dict[str, str]) -> None:
    """`retry_errors` names a code and how its description begins, wherever the two stand."""
    of = provider(retry_errors=frozenset({"invalid_grant: Token is locked"}))
    assert classify(of, reply(answer, 400), EPOCH) == Transient(
        "refused: invalid_grant: Token is locked", None, 400
    )


def test_a_listed_code_with_a_tail_stays_what_the_list_says() -> None:
    """What the catalogue lists as it is, is not made into another code."""
    of = provider(misconfigured_errors=frozenset({"invalid_grant: no app"}))
    outcome = classify(of, reply({"error": "invalid_grant: no app"}, 400), EPOCH)
    assert not isinstance(outcome, Revoked)


@pytest.mark.parametrize("place", [0, "0", -1])
def test_a_number_in_a_path_steps_into_a_list(place: int | str) -> None:
    """Fitbit and Strava put their errors in an array."""
    fitbit = provider(error_path=("errors", place, "errorType"))
    assert classify(fitbit, reply(FITBIT, 400), EPOCH) == Revoked("invalid_grant", 400)
    strava = provider(
        error_path=("errors", place, "code"),
        error_detail_path=("errors", place, "resource"),
        dead_grant_errors=frozenset({"invalid: RefreshToken"}),
    )
    assert classify(strava, reply(STRAVA, 400), EPOCH) == Revoked("invalid: RefreshToken", 400)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"error": "invalid_grant"}, Revoked("invalid_grant", 400)),
        (FITBIT, Revoked("invalid_grant", 400)),
        ({"error": "", **FITBIT}, Revoked("invalid_grant", 400)),
        ({"error": "0", **FITBIT}, Revoked("invalid_grant", 400)),
        ({"error": ["x"], **FITBIT}, Revoked("invalid_grant", 400)),
        ({"error": "busy", **FITBIT}, Transient("refused: busy", None, 400)),
        ({}, Transient("status 400 without an error code", None, 400)),
    ],
)
def test_of_several_paths_the_first_that_finds_a_code_counts(
    answer: dict[str, object], outcome: object
) -> None:
    """One provider's endpoints differ; a code that says that all is well is none."""
    of = provider(
        error_path=(("error",), ("errors", 0, "errorType")),
        error_detail_path=(("message",), ("errors", 0, "message")),
        success_without_error_codes=frozenset({"0"}),
    )
    found = classify(of, reply(answer, 400), EPOCH)
    assert found == outcome
    if isinstance(found, Revoked) and "errors" in answer:
        assert "Refresh token invalid: abc" in (found.detail or "")


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, b"", Revoked("invalid_grant", 401)),
        (401, b"<html>who?</html>", Revoked("invalid_grant", 401)),
        (401, {"error": "busy"}, Transient("refused: busy", None, 401)),
        (403, b"", Misconfigured("invalid_client", 403)),
        (400, b"", Transient("status 400 without an error code", None, 400)),
        (500, b"", Revoked("invalid_grant", 500)),
        (503, b"", Transient("status 503", None, 503)),
    ],
)
def test_a_status_speaks_where_no_code_is_found(status: int, body: object, outcome: object) -> None:
    """Only what the entry says of a status: some servers have no other words."""
    of = provider(
        status_errors={"401": "invalid_grant", "403": "invalid_client", "500": "invalid_grant"},
        refusal_statuses=frozenset({500}),
    )
    assert classify(of, reply(body, status), EPOCH) == outcome
    broken = classify(of, reply(b"", status, failure="protocol"), EPOCH)
    assert isinstance(broken, Transient)  # the code may stand in what did not come


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("invalid_grant", Revoked("invalid_grant", 500)),
        ("invalid_client", Misconfigured("invalid_client", 500)),
        ("busy", Transient("refused: busy", None, 500)),
        (None, Transient("status 500", None, 500)),
    ],
)
def test_a_500_refuses_where_the_entry_says_so(code: str | None, outcome: object) -> None:
    """Cybersource answers every refusal so; without a code it is trouble that passes, as ever."""
    of = provider(refusal_statuses=frozenset({500}))
    answer = {"error": code} if code else {}
    assert classify(of, reply(answer, 500), EPOCH) == outcome
    assert isinstance(classify(of, reply(answer, 503), EPOCH), Transient)


@pytest.mark.parametrize("path", [("errors", 5), ("errors", "x"), ("errors", 0, 0), (0,)])
def test_a_path_that_leads_nowhere_finds_no_code(path: Path) -> None:
    """No list is so short, and no object so odd, that looking raises."""
    outcome = classify(provider(error_path=path), reply(FITBIT, 400), EPOCH)
    assert outcome == Transient("status 400 without an error code", None, 400)


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_the_user_s_own_codes_count_at_any_status(status: int) -> None:
    """By default a 5xx is never believed; a list of one's own is."""
    gone = frozenset({"gone"})
    own = provider(dead_grant_errors=gone, dead_grant_errors_at_any_status=gone)
    assert classify(own, reply({"error": "gone"}, status), EPOCH) == Revoked("gone", status)
    usual = provider(dead_grant_errors=gone)
    is_dead = isinstance(classify(usual, reply({"error": "gone"}, status), EPOCH), Revoked)
    assert is_dead is (status == 400)


@pytest.mark.parametrize(
    ("of", "answer", "words"),
    [
        (provider(), {"error": "e", "error_description": "Bad\n Request"}, "Bad Request"),
        (
            provider(),
            {"error": "e", "error_description": "reauth", "error_subtype": "invalid_rapt"},
            "reauth; invalid_rapt",
        ),
        (provider(), {"error": {"message": "Session is over", "code": 190}}, "Session is over"),
        (provider(), {"error": "invalid_grant: Token is bad"}, "invalid_grant: Token is bad"),
        (
            provider(),
            {"error": "e", "error_description": "token 1//0gQ7xYz-abc_defghijklmnop is bad"},
            "token *** is bad",
        ),
        (provider(), {"error": "e", "error_description": "x" * 5_000}, "x" * 200),
        (
            provider(error_detail_path=("errors", 0, "message")),
            FITBIT,
            "Refresh token invalid: abc",
        ),
        (provider(), {"error": "e", "error_description": ["x"]}, None),
        (provider(), {"error": "e"}, None),
    ],
)
def test_what_the_provider_said_is_told_short_and_masked(
    of: Provider, answer: dict[str, object], words: str | None
) -> None:
    """M10: a person reads the provider's own words, and never a token."""
    assert error_detail(of, answer) == words
    body = json.dumps({"error": "invalid_grant", **answer}).encode()
    outcome = classify(of, reply(body, 400), EPOCH)
    if isinstance(outcome, Revoked):
        assert outcome.detail == words
