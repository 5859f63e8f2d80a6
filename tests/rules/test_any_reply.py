"""Properties: no reply, however odd, makes `classify` raise, or loses a token that it brought."""

from __future__ import annotations

import json
from typing import get_args
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refresher.rules.connection import Secret, is_no_token
from refresher.rules.outcomes import (
    Misconfigured,
    Outcome,
    Refreshed,
    Reply,
    Revoked,
    classify,
)
from refresher.rules.providers import Provider
from tests.rules.samples import EPOCH, SAME_EACH_TIME, provider

PROVIDERS = st.sampled_from(
    [
        provider(),
        provider(response_path=("data",), error_path=("code",)),
        provider(error_path=("error", "code"), dead_grant_errors=frozenset({"e: x", "190"})),
    ]
)
STATUSES = st.sampled_from([None, 100, 200, 204, 301, 400, 401, 403, 408, 429, 500, 503, 999])
FIELDS = st.sampled_from(
    [
        "error",
        "code",
        "data",
        "expires_in",
        "refresh_expires_in",
        "scope",
        "ok",
        "error_description",
    ]
)
WORDS = st.sampled_from(["invalid_grant", "invalid_client", "slow_down", "3600", "NaN", "", "0"])
ODD_NUMBERS = st.sampled_from([0, -1, 10**15, 10**400, float("nan"), float("inf"), 1e308])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS | ODD_NUMBERS
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(FIELDS | st.text(), v, max_size=3),
    max_leaves=4,
)  # fmt: skip
SURROUNDINGS = st.dictionaries(FIELDS | st.text(), VALUES, max_size=4)
TOKENS = st.text(min_size=1).filter(lambda text: not is_no_token(text))
DATES = st.sampled_from(["Sun, 01 Mar 2026 12:00:30 GMT", "Sun, 01 Mar", "99 99 99", "1e999", "-1"])
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "retry-after"]) | st.text(), DATES | st.text(), max_size=3
)
RAW_ODDITIES = st.sampled_from(
    [
        '"n": ' + "7" * 6000,
        '"n": -' + "7" * 6000 + ".5e99999",
        '"expires_in": ' + "9" * 5000,
        '"expires_in": NaN',
        '"expires_in": -Infinity',
        '"expires_in": 1e999',
        '"deep": ' + "[" * 50_000 + "]" * 50_000,
        '"deep": ' + '{"a":' * 20_000 + "1" + "}" * 20_000,
        '"said": "\\"access_token\\": \\"wrong\\""',
        '"half": "\\ud800"',
        '"raw": "\x01\x7f\t"',
        '"access_token_type": "access_token"',
    ]
)


@st.composite
def json_bodies(draw: st.DrawFn) -> bytes:
    """Draws JSON that may be cut off."""
    text = json.dumps(draw(VALUES | SURROUNDINGS), ensure_ascii=draw(st.booleans()))
    cut = draw(st.none() | st.integers(min_value=0, max_value=40))
    return text.encode("utf-8", "surrogatepass")[:cut]


BODIES = st.binary() | json_bodies() | st.text().map(str.encode)


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(SAME_EACH_TIME, max_examples=1_500)
@given(PROVIDERS, BODIES, HEADERS, STATUSES, st.booleans())
def test_every_reply_has_a_meaning(
    of: Provider, body: bytes, headers: dict[str, str], status: int | None, sent: bool
) -> None:
    """M3: `classify` never raises, and trouble at the provider never ends a grant."""
    reply = Reply(status=status, headers=headers, body=body, sent=sent)
    outcome = classify(of, reply, EPOCH)
    assert isinstance(outcome, get_args(Outcome))
    if status is None or status in {408, 429} or status >= 500:
        assert not isinstance(outcome, Revoked | Misconfigured | Refreshed)
    if status is None or not 200 <= status < 300:
        assert not isinstance(outcome, Refreshed)


def expect_refreshed(of: Provider, body: bytes, access: str, refresh: object) -> None:
    """Asserts that `body` brings these two, the second only if it is a token."""
    outcome = classify(of, Reply(status=200, body=body), EPOCH)
    assert isinstance(outcome, Refreshed)
    assert outcome.grant.access_token == Secret(access)
    usable = isinstance(refresh, str) and not is_no_token(refresh)
    assert outcome.grant.refresh_token == (Secret(str(refresh)) if usable else None)


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(SAME_EACH_TIME, max_examples=1_500)
@given(SURROUNDINGS, TOKENS, TOKENS | VALUES, st.booleans(), st.sampled_from(["", "data"]))
def test_an_access_token_in_a_json_object_is_always_found(
    around: dict[str, object], access: str, refresh: object, ascii_only: bool, inside: str
) -> None:
    """M2: whatever stands around it, a 2xx answer with an access token is a refresh with its pair.

    Slack's `ok: false` is the one field that says otherwise.
    """
    pair = {"access_token": access, "refresh_token": refresh}
    around = {name: value for name, value in around.items() if (name, value) != ("ok", False)}
    answer = {**around, inside: pair} if inside else {**around, **pair}
    body = json.dumps(answer, ensure_ascii=ascii_only).encode()
    path = (inside,) if inside else ()
    expect_refreshed(provider(response_path=path), body, access, refresh)


@pytest.mark.slow
@settings(SAME_EACH_TIME, max_examples=1_000)
@given(st.lists(RAW_ODDITIES, max_size=4), TOKENS, st.none() | TOKENS, st.randoms())
def test_what_no_parser_likes_does_not_hide_the_pair(
    oddities: list[str], access: str, refresh: str | None, chance: object
) -> None:
    """M2: endless numbers, bottomless nesting and raw control characters lose no token."""
    fields = [*oddities, f'"access_token": {json.dumps(access)}']
    fields += [f'"refresh_token": {json.dumps(refresh)}'] if refresh else []
    chance.shuffle(fields)  # type: ignore[attr-defined]
    body = "\ufeff {" + ",".join(fields) + "}\n"
    expect_refreshed(provider(), body.encode(), access, refresh)


@pytest.mark.slow
@settings(SAME_EACH_TIME, max_examples=1_000)
@given(st.dictionaries(FIELDS | st.text(), st.text(), max_size=4), TOKENS, st.none() | TOKENS)
def test_an_access_token_in_a_form_is_always_found(
    around: dict[str, str], access: str, refresh: str | None
) -> None:
    """M2: a form-encoded answer is as good as JSON."""
    around = {name: value for name, value in around.items() if name[:1] not in "{["}
    fields = {**around, "access_token": access} | ({"refresh_token": refresh} if refresh else {})
    expect_refreshed(provider(), urlencode(fields).encode(), access, refresh)


PAIR = b'{"access_token": "aaaaaaaa", "refresh_token": "rrrrrrrrrr"}'


@pytest.mark.parametrize("length", range(1, len(PAIR) + 1))
def test_a_pair_cut_off_is_never_half_taken(length: int) -> None:
    """M2: of a truncated answer both tokens are taken or none, wherever the cut falls."""
    outcome = classify(provider(), Reply(status=200, body=PAIR[:length]), EPOCH)
    whole = length >= len(PAIR) - 1
    assert isinstance(outcome, Refreshed) is whole
    if isinstance(outcome, Refreshed):
        assert outcome.grant.refresh_token == Secret("rrrrrrrrrr")
