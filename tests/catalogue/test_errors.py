"""What each provider means by its own error answers: what ends, what pauses, what passes."""

import pytest

from refresher.rules.outcomes import (
    Malformed,
    Misconfigured,
    RateLimited,
    Refreshed,
    Revoked,
    Transient,
)
from tests.catalogue.samples import CATALOGUE, meaning

Body = dict[str, object]


def meta(code: int, message: str, subcode: int | None = None) -> Body:
    """Returns an error as the Graph API shapes it."""
    error: Body = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "x"}
    return {"error": {**error, "error_subcode": subcode} if subcode else error}


def rfc(error: str, description: str = "") -> Body:
    """Returns an error as RFC 6749 shapes it."""
    return {"error": error, "error_description": description}


EXPIRED = "Error validating access token: Session has expired on Sunday."
CHECK = (
    "Error validating access token: You cannot access the app till you log in to "
    "www.facebook.com and follow the instructions given."
)
DEAD = (
    ("facebook", 400, meta(190, EXPIRED, 463)),
    ("facebook", 400, {"error": {"type": "OAuthException", "code": 190}}),
    ("instagram", 400, meta(190, EXPIRED, 463)),
    ("threads", 400, meta(190, EXPIRED)),
    ("tiktok", 200, rfc("invalid_grant", "Refresh token is invalid or expired.")),
    ("x", 400, rfc("invalid_request", "Value passed for the token was invalid.")),
    ("microsoft", 400, rfc("invalid_grant", "AADSTS700082: The refresh token has expired.")),
    ("microsoft", 400, rfc("interaction_required", "AADSTS50076: Due to a change")),
    ("slack", 200, {"ok": False, "error": "invalid_refresh_token"}),
    ("github", 200, rfc("bad_refresh_token", "The refresh token passed is incorrect or expired.")),
    ("hubspot", 400, {**rfc("invalid_grant"), "status": "BAD_REFRESH_TOKEN"}),
    ("quickbooks", 400, rfc("invalid_grant", "Incorrect or invalid refresh token")),
    ("atlassian", 403, rfc("unauthorized_client", "refresh_token is invalid")),
    ("exact-online", 401, rfc("unauthorized_client", "Old refresh token used.")),
    ("exact-online", 400, rfc("invalid_request", "The refresh token expired at 10/11/2022")),
    ("twitch", 400, {"status": 400, "message": "Invalid refresh token"}),
)
APP_REFUSED = (
    ("facebook", 400, meta(190, "Error validating application. Invalid application ID.")),
    ("facebook", 400, meta(1, "Error validating client secret.")),
    ("threads", 400, meta(190, "Error validating application. Application has been deleted.")),
    ("slack", 200, {"ok": False, "error": "bad_client_secret"}),
    ("slack", 200, {"ok": False, "error": "invalid_client_id"}),
    ("github", 200, rfc("incorrect_client_credentials")),
    ("google", 401, rfc("deleted_client", "The OAuth client was deleted.")),
    ("microsoft", 401, rfc("invalid_client", "AADSTS7000222: The client secret has expired.")),
    ("tiktok", 200, rfc("invalid_client")),
    ("exact-online", 401, rfc("unauthorized_client", "The client is not allowed.")),
    ("atlassian", 403, rfc("unauthorized_client")),
    ("salesforce", 400, rfc("invalid_client_credentials", "client secret invalid")),
)
PASSING = (
    ("facebook", 400, meta(190, CHECK, 459)),
    ("facebook", 400, meta(4, "Application request limit reached")),
    ("facebook", 400, meta(2, "An unexpected error has occurred.")),
    ("facebook", 400, meta(1, "An unknown error occurred")),
    ("x", 400, rfc("invalid_request", "Missing required parameter [grant_type].")),
    ("microsoft", 400, rfc("invalid_grant", "AADSTS50196: The server ended a request loop.")),
    ("slack", 200, {"ok": False, "error": "internal_error"}),
    ("slack", 200, {"ok": False, "error": "token_revoked"}),
    ("quickbooks", 400, rfc("invalid_grant", "Incorrect Token type or clientID")),
    ("exact-online", 400, rfc("access_denied", "Rate limit exceeded: access_token not expired")),
    ("exact-online", 400, rfc("invalid_request", "The parameter grant_type is missing")),
    ("salesforce", 400, rfc("inactive_org", "organization is not active")),
    ("zoho", 200, {"error": "invalid_code"}),
    ("zoho", 400, rfc("Access Denied", "You have made too many requests continuously.")),
    ("notion", 400, {"object": "error", "status": 400, "code": "validation_error"}),
)


@pytest.mark.parametrize(("name", "status", "answer"), DEAD)
def test_a_dead_grant_is_recognised(name: str, status: int, answer: Body):
    """The provider's own spelling of a dead grant asks a person to connect again."""
    assert isinstance(meaning(CATALOGUE[name], status, answer), Revoked)


@pytest.mark.parametrize(("name", "status", "answer"), APP_REFUSED)
def test_a_refused_app_breaks_no_connection(name: str, status: int, answer: Body):
    """The provider's own spelling of a wrong app pauses the app, even under a dead grant's code."""
    assert isinstance(meaning(CATALOGUE[name], status, answer), Misconfigured)


@pytest.mark.parametrize(("name", "status", "answer"), PASSING)
def test_what_is_unclear_is_tried_again(name: str, status: int, answer: Body):
    """An error that is listed nowhere, or listed as an exception, neither ends nor pauses."""
    assert isinstance(meaning(CATALOGUE[name], status, answer), Transient)


def test_a_listed_spelling_is_what_the_event_says():
    """The reason that a person reads is the spelling of the catalogue, not the bare code."""
    answer = rfc("UNAUTHORIZED_CLIENT", "old Refresh token used by 10.0.0.1")
    assert meaning(CATALOGUE["exact-online"], 401, answer) == Revoked(
        "unauthorized_client: Old refresh token used", 401
    )


@pytest.mark.parametrize("detail", [None, 7, ["Old refresh token used"], {"a": 1}, ""])
def test_an_odd_description_is_as_if_absent(detail: object):
    """A description that is no text does not hide the code, and does not raise."""
    answer: Body = {"error": "invalid_client", "error_description": detail}
    assert meaning(CATALOGUE["exact-online"], 401, answer) == Misconfigured("invalid_client", 401)


def test_slack_says_no_with_status_200():
    """`ok: false` wins over a token beside it; a rate limit in words is a rate limit."""
    slack = CATALOGUE["slack"]
    assert isinstance(meaning(slack, 200, {"ok": False, "error": "ratelimited"}), RateLimited)
    assert isinstance(meaning(slack, 200, {"ok": False, "access_token": "x"}), Malformed)


def test_facebook_may_omit_the_life():
    """An answer of a token alone is a grant; its life comes from what is documented."""
    outcome = meaning(CATALOGUE["facebook"], 200, {"access_token": "new", "token_type": "bearer"})
    assert isinstance(outcome, Refreshed)
    assert outcome.grant.expires_in_seconds is None


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("linkedin", "refresh_token_expires_in"),
        ("github", "refresh_token_expires_in"),
        ("tiktok", "refresh_expires_in"),
        ("quickbooks", "x_refresh_token_expires_in"),
    ],
)
def test_the_refresh_token_s_own_life_is_read(name: str, field: str):
    """Where a provider tells the refresh token's life, under its own name, it is known."""
    outcome = meaning(CATALOGUE[name], 200, {"access_token": "new", field: 5000})
    assert isinstance(outcome, Refreshed)
    assert outcome.grant.refresh_token_expires_in_seconds == 5000
