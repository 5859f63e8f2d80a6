"""Showing a provider, and warning of what loads but deserves a look."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from refresher.catalogue import Catalogue, check, describe, load
from refresher.rules.providers import Provider
from tests.catalogue.samples import CATALOGUE, every_provider

LINKEDIN = CATALOGUE["linkedin"]
CHECKED, FIRST_SOURCE = LINKEDIN.checked_on or date.min, LINKEDIN.sources[0]


def file_with(tmp_path: Path, text: str) -> Catalogue:
    """Returns the catalogue with this text as the user's file."""
    path = tmp_path / "providers.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def warnings_of(tmp_path: Path, text: str) -> str:
    """Returns the warnings about the entry `acme` that this text makes."""
    table = f"[providers.acme]\naccess_token_lifetime_seconds = 60\n{text}"
    return "\n".join(check(file_with(tmp_path, table), CHECKED, ["acme"]))


@every_provider
def test_a_provider_is_shown_as_plain_values(provider: Provider):
    """Every field survives a round trip through JSON, and lists are in a stable order."""
    # When
    shown = describe(provider)

    # Then
    assert json.loads(json.dumps(shown)) == shown
    assert shown["name"] == provider.name
    assert shown["dead_grant_errors"] == sorted(provider.dead_grant_errors)
    assert shown["strategy"] == provider.strategy.value
    assert shown["checked_on"] == str(provider.checked_on)


def test_facts_older_than_a_year_are_worth_a_look():
    """A year and a day after the check, an entry says so and names what to read."""
    assert check(CATALOGUE, CHECKED + timedelta(days=365), ["linkedin"]) == []
    assert check(CATALOGUE, CHECKED + timedelta(days=366), ["linkedin"]) == [
        f"linkedin: its facts are 366 days old ({CHECKED}); check them against {FIRST_SOURCE}"
    ]
    later = check(CATALOGUE, CHECKED + timedelta(days=400), ["linkedin"])
    assert "linkedin: its facts of the consent are " in later[-1]


def test_unconfirmed_facts_are_named():
    """What the documentation does not confirm is listed by field."""
    unsure = "refresh_token_clock, pkce, pkce_encoding, other_account"
    told = f"tiktok: not confirmed by its documentation: {unsure}"
    assert check(CATALOGUE, CHECKED, ["tiktok"]) == [told]


def test_all_providers_are_checked_unless_some_are_named():
    """Without names, every entry is looked at."""
    everything = check(CATALOGUE, CHECKED + timedelta(days=400))
    assert {warning.split(":")[0] for warning in everything} == set(CATALOGUE)


@pytest.mark.parametrize(
    ("url", "pattern", "open_to_all"),
    [
        ("https://{host}/token", r"[a-z0-9.-]+", True),
        ("https://{host}:8443/token", r"[a-z0-9.-]+", True),
        ("https://api.{host}/token", r"[a-z0-9.-]+", True),
        ("https://{host}/token", r"[a-z]+\.acme\.example", False),
        ("https://{host}.acme.example/token", r"[a-z0-9.-]+", False),
        ("https://acme.example/{host}/token", r"[a-z0-9.-]+", False),
    ],
)
def test_a_pattern_open_to_any_server_is_named(
    tmp_path: Path, url: str, pattern: str, open_to_all: bool
):
    """A warning tells when a stored row could send a refresh token to a server of its choice."""
    text = f"token_url = \"{url}\"\nhost_pattern = '{pattern}'"
    assert ("name any server" in warnings_of(tmp_path, text)) is open_to_all


def test_a_general_code_is_no_dead_grant(tmp_path: Path):
    """A code that RFC 6749 uses for other faults would disconnect everybody, and is named."""
    text = 'token_url = "https://a.example"\ndead_grant_errors = ["invalid_request", "gone"]'
    assert "dead_grant_errors has invalid_request, which may" in warnings_of(tmp_path, text)


def test_a_file_s_entry_without_a_life_is_named(tmp_path: Path):
    """The user learns what is assumed when an answer does not tell the token's life."""
    catalogue = file_with(tmp_path, '[providers.acme]\ntoken_url = "https://a.example"')
    (warning,) = check(catalogue, CHECKED, ["acme"])
    assert warning.startswith("acme: access_token_lifetime_seconds is not set, so an answer")
    assert warning.endswith("is taken to last 3600 seconds")


def test_an_app_that_cannot_work_is_named(tmp_path: Path):
    """An app that is never named, and one without the secret it needs, are told."""
    # When
    catalogue = file_with(
        tmp_path,
        '[apps.threads]\nclient_id = "a"\n[apps.notion]\nclient_id = "b"\n'
        '[apps.google]\nclient_id = "c"\n',
    )
    warnings = check(catalogue, CHECKED, ["threads", "notion", "linkedin"])

    # Then
    assert (
        "threads, app default: never used, for requests to this provider do not name an app"
        in warnings
    )
    assert 'notion, app default: has no secret, though client_auth is "basic"' in warnings
    assert not [warning for warning in warnings if warning.startswith("google")]
