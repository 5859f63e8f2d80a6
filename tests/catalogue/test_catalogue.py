"""Every row of the catalogue keeps the same promises; and the catalogue finds its rows."""

from dataclasses import fields
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from refresher.catalogue import load
from refresher.catalogue.checks import trusts_any_server
from refresher.errors import UnknownProvider
from refresher.rules.outcomes import RateLimited, Refreshed, Revoked, Transient
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy
from tests.catalogue.samples import (
    ACCESS_TOKEN,
    CATALOGUE,
    CLIENT,
    REFRESH_TOKEN,
    SECRETS,
    every_provider,
    granted,
    meaning,
    nested,
    request_for,
)

REQUIRED = (
    *("threads", "instagram", "facebook", "linkedin", "tiktok", "google", "youtube", "x"),
    *("microsoft", "slack", "github", "hubspot", "quickbooks", "xero", "salesforce", "notion"),
)


SECRET_SHOWN = {ClientAuth.BASIC, ClientAuth.BASIC_RAW, ClientAuth.POST}


@every_provider
def test_builds_a_request_over_https(provider: Provider):
    """Every row makes a request from sample credentials, to a host without placeholders."""
    # When
    request = request_for(provider)

    # Then
    assert request.url.startswith("https://")
    assert "{" not in request.url
    assert request.headers["Accept"] == provider.headers.get("Accept", "application/json")
    grant = {
        Strategy.REFRESH_TOKEN: REFRESH_TOKEN,
        Strategy.LONG_LIVED_EXCHANGE: ACCESS_TOKEN,
    }.get(provider.strategy)
    assert grant is None or grant.reveal() in request.parameters.values()
    assert request.method == "POST" or request.body is BodyForm.QUERY


@every_provider
def test_proves_the_app_only_where_the_row_says_so(provider: Provider):
    """The client secret travels in exactly one place, or nowhere where no app is needed."""
    # When
    request = request_for(provider)

    # Then
    in_header = request.headers.get("Authorization", "").startswith("Basic ")
    in_parameters = "app-secret" in request.parameters.values()
    assert in_header + in_parameters == (provider.client_auth in SECRET_SHOWN)


@every_provider
def test_no_secret_shows_in_a_repr(provider: Provider):
    """Neither a request nor what made it prints a token, a secret or the Basic header."""
    # When
    shown = repr((request_for(provider), CLIENT, ACCESS_TOKEN, REFRESH_TOKEN))

    # Then
    assert not [secret for secret in SECRETS if secret in shown]


@every_provider
def test_a_granted_token_is_refreshed(provider: Provider):
    """A plain answer is a fresh grant, with its new refresh token and the life it tells."""
    # When
    outcome = meaning(provider, 200, granted(provider))

    # Then
    assert isinstance(outcome, Refreshed)
    assert outcome.grant.access_token.reveal() == "new"
    assert outcome.grant.refresh_token is not None
    assert outcome.grant.refresh_token.reveal() == "next"
    assert outcome.grant.expires_in_seconds == 1234


@every_provider
@pytest.mark.parametrize("absent", [..., "", None])
def test_an_answer_without_a_refresh_token_keeps_the_old_one(provider: Provider, absent: object):
    """A missing, empty or null refresh token is no refresh token: the stored one stays."""
    # When
    outcome = meaning(provider, 200, granted(provider, refresh_token=absent))

    # Then
    assert isinstance(outcome, Refreshed)
    assert outcome.grant.refresh_token is None


@every_provider
@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_invalid_grant_ends_the_connection(provider: Provider, status: int):
    """RFC 6749's word for a dead grant is understood from everyone, whatever the status."""
    answer = {"ok": False, **nested(provider.error_path, "invalid_grant")}
    assert meaning(provider, status, answer) == Revoked("invalid_grant", status)


@every_provider
def test_an_outage_never_ends_a_connection(provider: Provider):
    """A 5xx is transient even if its body claims a dead grant, unless the row says otherwise."""
    answer = nested(provider.error_path, "invalid_grant")
    is_refusal = 500 in provider.refusal_statuses
    assert isinstance(meaning(provider, 500, answer), Revoked if is_refusal else Transient)


@every_provider
def test_a_429_is_a_rate_limit(provider: Provider):
    """Too many requests is no failure of the connection."""
    assert isinstance(meaning(provider, 429, {}), RateLimited)


@every_provider
def test_facts_are_dated_and_sourced(provider: Provider):
    """A row tells when it was checked, and against what or that it is not confirmed."""
    assert provider.checked_on is not None
    assert provider.checked_on <= datetime.now(UTC).date()
    assert provider.sources or provider.unsure


@every_provider
def test_a_life_is_known_or_said_to_be_unsure(provider: Provider):
    """An answer without `expires_in` has a documented life to fall back to, or a warning."""
    assert provider.access_token_lifetime_seconds or (
        "access_token_lifetime_seconds" in provider.unsure
    )


@every_provider
def test_what_people_read_is_there(provider: Provider):
    """A row has a title, a category and links; what it names as unsure is a field."""
    assert provider.title
    assert provider.category
    assert provider.sources
    assert {*provider.unsure} <= {field.name for field in fields(provider)}
    urls = [getattr(provider, field.name) for field in fields(provider) if "_url" in field.name]
    assert all(url is None or url.startswith("https://") for url in urls)


@every_provider
def test_no_row_lets_a_connection_choose_any_server(provider: Provider):
    """Whose servers are anywhere lists them in the user's file: a built-in pattern trusts none."""
    assert not trusts_any_server(provider)


def test_the_required_providers_are_there():
    """The catalogue has every provider that the project promises, and many more."""
    assert set(REQUIRED) <= set(CATALOGUE)
    assert len(CATALOGUE) >= 300


def test_names_are_sorted_and_lookup_is_by_name():
    """The catalogue is a mapping of sorted names to providers, all of them built in."""
    assert list(CATALOGUE) == sorted(CATALOGUE.names)
    assert len(CATALOGUE) == len(CATALOGUE.providers)
    assert CATALOGUE["google"].name == "google"
    assert CATALOGUE.get("google") is CATALOGUE["google"]
    assert "google" in CATALOGUE
    assert CATALOGUE.get("nobody") is None
    assert CATALOGUE.origin("google") == "built-in"
    assert CATALOGUE.apps == ()


def test_an_unknown_name_raises_with_a_suggestion():
    """Asking for a misspelled provider names the one that was meant."""
    with pytest.raises(UnknownProvider, match=r'no provider is called "gogle" .*"google"'):
        CATALOGUE["gogle"]
    with pytest.raises(UnknownProvider):
        CATALOGUE.origin("gogle")


def test_loading_twice_shares_what_cannot_change():
    """Built-in entries are read once a process, and their tables cannot be written to."""
    assert load()["facebook"] is CATALOGUE["facebook"]
    assert isinstance(CATALOGUE["tiktok"].parameter_names, MappingProxyType)
