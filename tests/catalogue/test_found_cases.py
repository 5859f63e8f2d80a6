"""Faults that others reported of token endpoints: the entry that says it, and what is right then.

A row is a case: what the entry says, the answer, what it means. Lives in seconds.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.decision import Before, decide
from refresher.rules.outcomes import Outcome, Refreshed, Reply, Revoked, Transient, classify
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider
from refresher.rules.registration import answered, read
from refresher.rules.requests import build_request
from tests.catalogue.conftest import ACME, Load
from tests.rules.samples import EPOCH, HOUR, jwt

SOON = datetime.fromtimestamp(EPOCH + 20, UTC).isoformat()
PAIR = {"access_token": "a", "refresh_token": "rt-1"}
FITBIT = {
    "errors": [{"errorType": "invalid_grant", "message": "Refresh token invalid: abc"}],
    "success": False,
}
STRAVA = {
    "message": "Bad Request",
    "errors": [{"resource": "RefreshToken", "field": "refresh_token", "code": "invalid"}],
}


def entry(load_text: Load, lines: str) -> Provider:
    """Returns the entry with these lines, or the built-in one that they extend."""
    if "extends" in lines:
        return load_text(f"[providers.acme]\n{lines}")["acme"]
    return load_text(ACME + lines)["acme"]


def said(answer: object, status: int = 200) -> Reply:
    """Returns an answer as it comes over the wire."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Reply(status, {"content-type": "application/json"}, body)


def meaning(of: Provider, reply: Reply) -> Outcome:
    """Returns what a reply means for this entry."""
    return classify(of, reply, EPOCH)


DEAD: dict[str, tuple[str, object, int, Outcome]] = {
    "05 errors in an array": (
        'error_path = ["errors", 0, "errorType"]\nerror_detail_path = ["errors", 0, "message"]',
        FITBIT,
        400,
        Revoked("invalid_grant", 400),
    ),
    "05 errors in an array, another code": (
        """
        error_path = ["errors", 0, "code"]
        error_detail_path = ["errors", 0, "resource"]
        dead_grant_errors = ["invalid: RefreshToken"]""",
        STRAVA,
        400,
        Revoked("invalid: RefreshToken", 400),
    ),
    "05 in an array or not": (
        'error_path = [["error"], ["errors", 0, "errorType"]]',
        FITBIT,
        401,
        Revoked("invalid_grant", 401),
    ),
    "17 a code with a tail": (
        "",
        {"error": "invalid_grant: Token is expired or invalid."},
        400,
        Revoked("invalid_grant", 400),
    ),
    "17 a code with a head": (
        "",
        {"error": "failed to refresh token: invalid_grant", "success": False},
        400,
        Revoked("invalid_grant", 400),
    ),
    "19 behind status 500, by one's own list": (
        'dead_grant_errors = ["invalid_grant"]',
        {"error": "invalid_grant"},
        500,
        Revoked("invalid_grant", 500),
    ),
    "19 behind status 500, where each refusal is one": (
        "refusal_statuses = [500]",
        {"error": "invalid_grant"},
        500,
        Revoked("invalid_grant", 500),
    ),
    "19 behind status 500, by default": (
        "",
        {"error": "invalid_grant"},
        500,
        Transient("status 500", None, 500),
    ),
}


@pytest.mark.parametrize("case", DEAD)
def test_a_dead_grant_is_known(load_text: Load, case: str) -> None:
    """Cases 05, 17 and 19: it ends at once, and an answer is never silence."""
    lines, answer, status, right = DEAD[case]
    of, reply = entry(load_text, lines), said(answer, status)
    outcome = meaning(of, reply)
    assert outcome == right
    decision = decide(outcome, reply, KNOWN, of, Policy())
    assert (decision.fault is None) is isinstance(right, Revoked)


KNOWN = Before(0, 0, 60.0, HOUR, EPOCH, 0.5, 0.5)
"""An hour's token was stored before, in each of the cases."""
TIKTOK = 'response_path = ["data"]\nsuccess_without_error_codes = ["0"]\nerror_path = ["code"]'
LIVES: dict[str, tuple[str, object, float]] = {
    "06 an ISO instant": ("", {**PAIR, "expires_at": SOON}, 20),
    "06 an instant in data": (
        TIKTOK,
        {"code": 0, "data": {**PAIR, "access_token_expire_in": EPOCH + 20}},
        20,
    ),
    "06 another name": ("", {**PAIR, "expire_in": 20}, 20),
    "06 an instant as a text": ("", {**PAIR, "expires_on": str(int(EPOCH + 20))}, 20),
    "06 a name of its own, with its format": (
        'access_token_lifetime_fields = ["ttl"]\naccess_token_lifetime_format = "minutes"',
        {**PAIR, "ttl": 20},
        1_200,
    ),
    "07 a JWT that is over": ("", {"access_token": jwt({"exp": EPOCH - 5})}, 0),
    "07 zero": ("", {**PAIR, "expires_in": 0}, 0),
    "07 negative": ("", {**PAIR, "expires_in": -3}, 0),
    "07 a JWT that ends sooner": (
        "",
        {"access_token": jwt({"exp": EPOCH + 20}), "expires_in": 3600},
        20,
    ),
    "08 milliseconds beside seconds": (
        'extends = "zoho"',
        {**PAIR, "expires_in_sec": 3600, "expires_in": 3_600_000},
        3600,
    ),
    "08 milliseconds alone": ('extends = "zoho"', {**PAIR, "expires_in": 3_600_000}, 3600),
    "08 milliseconds, said so": (
        'access_token_lifetime_format = "milliseconds"',
        {**PAIR, "expires_in": 90_000},
        90,
    ),
}


@pytest.mark.parametrize("case", LIVES)
def test_a_life_is_its_own(load_text: Load, case: str) -> None:
    """Cases 06, 07 and 08: never the hour of before; what is over is asked for again soon."""
    lines, answer, life = LIVES[case]
    of, reply = entry(load_text, lines), said(answer)
    decision = decide(meaning(of, reply), reply, KNOWN, of, Policy())
    assert decision.new_life is not None
    assert decision.new_life.left_seconds == pytest.approx(life)
    assert decision.new_life.is_over is (life == 0)
    assert 0 < (decision.next_due_in_seconds or 0) <= (life or 60)


NAMES = """
[providers.acme.answer_names]
access_token = "accessToken"
refresh_token = "refreshToken"
expires_in = "expiresIn"
"""
CAMEL = {"accessToken": "a", "refreshToken": "rt-1", "expiresIn": 3600}
TEXT = json.dumps(PAIR)
SHAPES: dict[str, tuple[str, object]] = {
    "16 other names": (NAMES, CAMEL),
    "16 a list of one": ("", [PAIR]),
    "16 a list in data": ("", {"data": [PAIR]}),
    "16 JSON in a text": ("", TEXT),
    "16 a notice before": ("", f"<br />\n<b>Deprecated</b>: x<br />\n{TEXT}".encode()),
    "16 UTF-16": ("", TEXT.encode("utf-16")),
    "16 a comment behind": ("", f"{TEXT}\n<!-- 0.02 s -->".encode()),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_pair_of_any_shape_is_read(load_text: Load, case: str) -> None:
    """Case 16: the rotated refresh token is in it."""
    lines, answer = SHAPES[case]
    outcome = meaning(entry(load_text, lines), said(answer))
    assert isinstance(outcome, Refreshed)
    assert outcome.grant.access_token == Secret("a")
    assert outcome.grant.refresh_token == Secret("rt-1")


def test_basic_goes_as_it_stands(load_text: Load) -> None:
    """Case 14: a server that compares what is sent without decoding it."""
    client = ClientCredentials("shop~1", Secret("p%s+s/2="))
    of = entry(load_text, 'client_auth = "basic_raw"')
    made = build_request(of, client=client, access_token=None, refresh_token=Secret("r"), scopes=())
    assert made.headers["Authorization"] == f"Basic {b64encode(b'shop~1:p%s+s/2=').decode()}"


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ('extends = "salesforce"', {"instance_url": "https://acme-new.example", "id": "…"}),
        ('keep_fields = ["instance_url"]', {"instance_url": "https://acme-new.example"}),
    ],
)
def test_what_callers_need_is_kept(load_text: Load, lines: str, kept: Mapping[str, object]) -> None:
    """Case 15: it is stored with the pair and served beside the token."""
    told = {"access_token": "a", "instance_url": "https://acme-new.example", "id": "…"}
    outcome = meaning(entry(load_text, lines), said(told))
    assert isinstance(outcome, Refreshed)
    assert outcome.grant.kept == kept


def test_zero_is_no_end_of_a_refresh_token(load_text: Load) -> None:
    """Case 18: at import, in an answer that is handed in, and after a refresh."""
    of = entry(load_text, "")
    named: dict[str, Any] = {"organization_id": "o", "provider": "acme", "external_id": "1"}
    line = read({**named, "refresh_token": "r", "refresh_token_expires_in": 0, "expires_in": 60})
    handed = answered(read({**named, "answer": {**PAIR, "refresh_expires_in": 0}}), of, EPOCH)
    ends = {line.refresh_token_expires_in_seconds, handed.refresh_token_expires_in_seconds}
    assert ends == {None}
    reply = said({**PAIR, "expires_in": 60, "refresh_expires_in": 0})
    life = decide(meaning(of, reply), reply, KNOWN, of, Policy()).new_life
    assert life is not None
    assert (life.refresh_token_left_seconds, life.forgets_end) == (None, True)


def test_two_placeholders_have_a_value_each(load_text: Load) -> None:
    """Case 20: Workday's host and tenant; each connection has its own."""
    lines = (
        "[providers.acme]\n"
        'token_url = "https://{host}/ccx/oauth2/{tenant}/token"\n'
        "host_pattern = '[a-z0-9-]+\\.workday\\.com'\n"
        'client_auth = "none"\nplaceholders = { tenant = "[a-z0-9_]+" }\n'
    )
    of = load_text(lines)["acme"]
    made = build_request(
        of,
        client=ClientCredentials("id", None),
        access_token=None,
        refresh_token=Secret("r"),
        scopes=(),
        host="wd5.workday.com",
        placeholders={"tenant": "acme_corp"},
    )
    assert made.url == "https://wd5.workday.com/ccx/oauth2/acme_corp/token"
