"""Entries that can connect are whole and plausible; what is asked for and sent, written out."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from refresher.rules.authorize import (
    Asking,
    Code,
    Party,
    asked_scopes,
    authorize_url,
    code_request,
    code_url,
    second_request,
    userinfo_request,
)
from refresher.rules.connection import Secret
from refresher.rules.fillings import Stamp
from refresher.rules.providers import Provider, Strategy
from tests.catalogue.samples import CATALOGUE, CLIENT, HOSTS, every_provider

BACK = "https://ours.example/connect/callback/it"
FIRST = (
    *("airtable", "asana", "atlassian", "box", "discord", "dropbox", "exact-online", "facebook"),
    *("github", "gitlab", "google", "hubspot", "instagram", "linear", "linkedin", "microsoft"),
    *("notion", "pinterest", "quickbooks", "reddit", "salesforce", "shopify", "slack", "spotify"),
    *("threads", "tiktok", "twitch", "x", "xero", "youtube", "zoho", "zoom"),
)
"""Those that everybody asks for."""
MAIL = ("email", "mail", "login", "username")
"""What is no account: it moves, and is shared."""
USUAL = {
    "response_type": "code",
    "client_id": "an-id",
    "redirect_uri": BACK,
    "state": "a-state",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
}
BARE = {name: text for name, text in USUAL.items() if not name.startswith("code_ch")}
CODE = {"grant_type": "authorization_code", "code": "a-code", "redirect_uri": BACK}
VERIFIER = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")  # RFC 7636 appendix B
PROVED = {"code_verifier": VERIFIER.reveal()}
APP = {"client_id": "an-id", "client_secret": "app-secret"}


def test_the_first_that_people_ask_for_can_connect():
    """And at least sixty in all."""
    able = {name for name in CATALOGUE.names if CATALOGUE[name].connect}
    assert set(FIRST) <= able
    assert len(able) >= 60


@every_provider
def test_what_is_known_of_a_consent_is_whole(provider: Provider):
    """It says where it is from and when it was looked at, and what is not known is said to be so."""
    consent = provider.connect
    if consent is None:
        return
    assert consent.sources
    assert consent.checked_on
    assert provider.authorize_url
    doubts = {*consent.unsure, *provider.unsure}
    assert provider.pkce or "pkce" in doubts, "whether it takes PKCE is neither known nor doubted"
    ours = provider.strategy is Strategy.LONG_LIVED_EXCHANGE
    assert ours == (consent.refresh_token == "never") == bool(consent.second_step)


@every_provider
def test_an_account_is_told_by_what_stays(provider: Provider):
    """Never by an address or a name alone; an id_token is asked for where one is read."""
    if (consent := provider.connect) is None:
        return
    for path in consent.identity.paths:
        assert path[-1] not in MAIL, f"{path} is no account"
    if "answer" in consent.identity.found_in:  # what is handed in without a consent tells it, too
        assert {".".join(map(str, p)) for p in consent.identity.paths} <= {*provider.keep_fields}
    if "id_token" in consent.identity.found_in:
        assert "openid" in (*consent.scopes, *provider.default_scopes)
        assert consent.issuer


@every_provider
def test_scopes_in_words_are_short_and_say_what_may_be_done(provider: Provider):
    """They end a sentence: "may: see your calendars"."""
    for scope, words in provider.connect.scope_words.items() if provider.connect else ():
        assert words == words.strip(" .")
        assert words[0].islower(), scope
        assert len(words) <= 80


def party(name: str) -> Party:
    """Returns our sample app at a provider."""
    entry = CATALOGUE[name]
    return Party(entry, CLIENT, HOSTS.get(name) or entry.default_host or entry.host_example)


@pytest.mark.parametrize(
    ("name", "asked", "other"),
    [
        (
            "google",
            {
                **USUAL,
                "scope": "openid email",
                "access_type": "offline",
                "prompt": "consent",
                "include_granted_scopes": "true",
                "nonce": "a-nonce",
                "login_hint": "ann@acme.example",
            },
            {"prompt": "select_account consent"},
        ),
        (
            "microsoft",
            {
                **USUAL,
                "scope": "offline_access openid profile",
                "response_mode": "query",
                "nonce": "a-nonce",
                "login_hint": "ann@acme.example",
            },
            {"prompt": "select_account"},
        ),
        ("github", {**USUAL, "login": "ann@acme.example"}, {"prompt": "select_account"}),
        ("slack", BARE, {}),
        (
            "facebook",
            {**BARE, "scope": "public_profile", "auth_type": "rerequest"},
            {"auth_type": "reauthenticate"},
        ),
        (
            "tiktok",
            {
                **{n: v for n, v in USUAL.items() if n != "client_id"},
                "client_key": "an-id",
                "scope": "user.info.basic",
            },
            {"disable_auto_auth": "1"},
        ),
        ("notion", {**USUAL, "owner": "user"}, {}),
        (
            "atlassian",
            {
                **USUAL,
                "scope": "offline_access read:me",
                "audience": "api.atlassian.com",
                "prompt": "consent",
            },
            {},
        ),
        ("shopify", BARE, {}),
        (
            "zoho",
            {
                **USUAL,
                "scope": "AaaServer.profile.READ",
                "access_type": "offline",
                "prompt": "consent",
            },
            {},
        ),
    ],
)
def test_the_exact_request_that_a_person_is_sent_with(
    name: str, asked: dict[str, str], other: dict[str, str]
):
    """Written out: what a change of data must not alter. After a wrong account some are others."""
    entry = CATALOGUE[name]
    for tried, expected in ((False, asked), (True, {**asked, **other})):
        asking = Asking(
            redirect_uri=BACK,
            state=Secret("a-state"),
            verifier=VERIFIER,
            nonce=Secret("a-nonce"),
            scopes=asked_scopes(entry, ()),
            hint="ann@acme.example",
            other_account=tried,
        )
        url = urlsplit(authorize_url(party(name), asking))
        assert dict(parse_qsl(url.query)) == expected


@pytest.mark.parametrize(
    ("name", "method", "url", "parameters"),
    [
        ("google", "POST", "https://oauth2.googleapis.com/token", {**CODE, **PROVED, **APP}),
        ("x", "POST", "https://api.x.com/2/oauth2/token", {**CODE, **PROVED}),
        (
            "facebook",
            "GET",
            "https://graph.facebook.com/v25.0/oauth/access_token",
            {"code": "a-code", "redirect_uri": BACK, **APP},
        ),
        ("instagram", "POST", "https://api.instagram.com/oauth/access_token", {**CODE, **APP}),
        ("threads", "POST", "https://graph.threads.net/oauth/access_token", {**CODE, **APP}),
        (
            "shopify",
            "POST",
            "https://acme.myshopify.com/admin/oauth/access_token",
            {**CODE, **APP, "expiring": "1"},
        ),
        (
            "basecamp",
            "POST",
            "https://launchpad.37signals.com/authorization/token",
            {"type": "web_server", "code": "a-code", "redirect_uri": BACK, **PROVED, **APP},
        ),
        (
            "withings",
            "POST",
            "https://wbsapi.withings.net/v2/oauth2",
            {**CODE, **APP, "action": "requesttoken"},
        ),
    ],
)
def test_the_exact_request_that_a_code_is_sent_with(
    name: str, method: str, url: str, parameters: dict[str, str]
):
    """Written out, as the requests of refreshes are."""
    code = Code(Secret("a-code"), code_url(party(name)), BACK, VERIFIER)
    request = code_request(party(name), code, lambda: Stamp(0, "unique"))
    assert (request.method, request.url) == (method, url)
    assert dict(request.parameters) == parameters


@pytest.mark.parametrize(
    ("name", "url", "parameters"),
    [
        (
            "facebook",
            "https://graph.facebook.com/v25.0/oauth/access_token",
            {"grant_type": "fb_exchange_token", "fb_exchange_token": "short", **APP},
        ),
        (
            "instagram",
            "https://graph.instagram.com/access_token",
            {
                "grant_type": "ig_exchange_token",
                "access_token": "short",
                "client_secret": "app-secret",
            },
        ),
        (
            "threads",
            "https://graph.threads.net/access_token",
            {
                "grant_type": "th_exchange_token",
                "access_token": "short",
                "client_secret": "app-secret",
            },
        ),
    ],
)
def test_the_exact_second_step(name: str, url: str, parameters: dict[str, str]):
    """What makes a token of sixty days of one that lives an hour."""
    step = party(name).consent.second_step
    assert step
    request = second_request(party(name), step, Secret("short"))
    assert (request.method, request.url) == ("GET", url)
    assert dict(request.parameters) == parameters


@pytest.mark.parametrize(
    ("name", "method", "url", "headers"),
    [
        ("github", "GET", "https://api.github.com/user", {"Authorization": "Bearer token"}),
        ("zoho", "GET", "https://accounts.zoho.eu/oauth/user/info", {}),
        ("linear", "POST", "https://api.linear.app/graphql", {"Authorization": "Bearer token"}),
        ("monday", "POST", "https://api.monday.com/v2", {"Authorization": "token"}),
        ("klaviyo", "GET", "https://a.klaviyo.com/api/accounts", {"revision": "2025-01-15"}),
        ("soundcloud", "GET", "https://api.soundcloud.com/me", {"Authorization": "OAuth token"}),
        (
            "salesforce",
            "GET",
            "https://acme.my.salesforce.com/services/oauth2/userinfo",
            {"Authorization": "Bearer token"},
        ),
    ],
)
def test_the_exact_request_that_asks_whose_a_token_is(
    name: str, method: str, url: str, headers: dict[str, Any]
):
    """Some have ways of their own."""
    request = userinfo_request(party(name), Secret("token"))
    assert (request.method, request.url) == (method, url)
    assert headers.items() <= dict(request.headers).items()
