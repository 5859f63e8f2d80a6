"""What a consent is asked for with: the URL (C1, C2, C5, C6), the code's request, and what follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from refresher.rules.authorize import (
    Party,
    asked_scopes,
    authorize_url,
    uses_nonce,
)
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import Provider
from tests.rules.consents import (
    ACME,
    ASKING,
    CLIENT,
    HEX,
    NO_PKCE,
    USERINFO,
    USUAL,
    entry,
)


def query(url: str) -> dict[str, str]:
    """Returns the parameters of a URL, each of which stands there once."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


PROMPTING = entry(
    {"other_account": {"prompt": "select_account"}}, authorize_parameters={"prompt": "consent"}
)


@pytest.mark.parametrize(
    ("provider", "asking", "expected"),
    [
        (ACME, {}, USUAL),
        (ACME, {"scopes": ("a b", "c")}, {**USUAL, "scope": "a b c"}),
        (entry(scope_separator=","), {"scopes": ("a", "c")}, {**USUAL, "scope": "a,c"}),
        (entry({"scope_parameter": "user_scope"}), {"scopes": ("a",)}, {**USUAL, "user_scope": "a"}),
        (entry(pkce="no"), {}, NO_PKCE),
        (
            entry({"pkce_encoding": "hex"}),
            {},
            {**USUAL, "code_challenge": HEX},
        ),
        (ACME, {"scopes": ("openid",)}, {**USUAL, "scope": "openid", "nonce": "a-nonce"}),
        (
            entry({"identity": replace(USERINFO, found_in=("id_token", "userinfo"))}),
            {},
            {**USUAL, "nonce": "a-nonce"},
        ),
        (
            PROMPTING,
            {},
            {**USUAL, "prompt": "consent"},
        ),
        (
            PROMPTING,
            {"other_account": True},
            {**USUAL, "prompt": "select_account"},
        ),
        (entry({"login_hint": "login"}), {"hint": "ann"}, {**USUAL, "login": "ann"}),
        (entry({"login_hint": "login"}), {}, USUAL),
        (ACME, {"hint": "ann"}, USUAL),
        (
            entry({"parameters": ("user_scope",)}),
            {"parameters": {"user_scope": "chat:write"}},
            {**USUAL, "user_scope": "chat:write"},
        ),
        (
            entry(parameter_names={"client_id": "client_key"}),
            {},
            {"client_key": "id", **{n: t for n, t in USUAL.items() if n != "client_id"}},
        ),
        (
            entry(authorize_parameters={"state": "fixed", "app": "{client_id}"}),
            {},
            {**USUAL, "app": "id"},
        ),
    ],
)  # fmt: skip
def test_a_person_is_sent_with_what_the_entry_says(
    provider: Provider, asking: dict[str, Any], expected: dict[str, str]
):
    """State, challenge and redirect URI are those of the attempt, whatever an entry adds."""
    url = authorize_url(Party(provider, CLIENT), replace(ASKING, **asking))
    assert url.startswith("https://acme.example/authorize?")
    assert query(url) == expected


def test_the_url_of_a_host_keeps_its_own_parameters():
    """Placeholders stand in URL and parameters; what the URL has already stays; a space is `%20`."""
    provider = entry(
        authorize_url="https://{host}/authorize?v=2",
        authorize_parameters={"resource": "{resource}"},
        host_pattern=r"[a-z]+\.example",
        placeholders={"resource": "https://.+"},
    )
    party = Party(provider, CLIENT, "eu.example", {"resource": "https://r.example/mcp"})
    url = authorize_url(party, replace(ASKING, scopes=("a", "b")))
    assert url.startswith(
        "https://eu.example/authorize?v=2&resource=https%3A%2F%2Fr.example%2Fmcp&"
    )
    assert "scope=a%20b" in url
    with pytest.raises(UnbuildableRequest, match="does not match acme's pattern"):
        authorize_url(replace(party, host="evil.example.com"), ASKING)


@pytest.mark.parametrize(
    ("provider", "asking", "sentence"),
    [
        (entry(authorize_url=None), {}, "nobody can connect to acme here"),
        (replace(ACME, connect=None), {}, "nobody can connect to acme here"),
        (ACME, {"parameters": {"prompt": "none"}}, 'takes no parameter "prompt".* none'),
        (
            entry({"parameters": ("user_scope",)}),
            {"parameters": {"team": "1"}},
            'no parameter "team".*user_scope',
        ),
        (
            entry(authorize_parameters={"key": "{client_secret}"}),
            {},
            "client_secret} is nothing for a URL that a person sees",
        ),
    ],
)
def test_what_makes_no_url_is_said(provider: Provider, asking: dict[str, Any], sentence: str):
    """No secret ever stands in a URL that a browser shows, and no parameter that nobody listed."""
    with pytest.raises(UnbuildableRequest, match=sentence):
        authorize_url(Party(provider, CLIENT), replace(ASKING, **asking))


def test_each_scope_is_asked_for_once():
    """The entry's own come first; a reconnect asks for those stored as well."""
    provider = entry({"scopes": ("email",)}, default_scopes=("offline",))
    assert asked_scopes(provider, ("b", "email"), ("a", "b")) == ("offline", "email", "a", "b")
    assert asked_scopes(replace(provider, connect=None), ("b",)) == ("offline", "b")
    assert not uses_nonce(replace(provider, connect=None), ("b",))
