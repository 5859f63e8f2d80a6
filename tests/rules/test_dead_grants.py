"""How a dead grant is told: codes with a head or a tail, in lists, behind any status, in words."""

from __future__ import annotations

import json

import pytest

from refresher.rules.answers import error_detail
from refresher.rules.outcomes import Revoked, Transient, classify
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
