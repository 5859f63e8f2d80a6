"""What the providers file says of placeholders, of fields to keep, and of how Basic is sent."""

from __future__ import annotations

import pytest

from refresher.catalogue.checks import trusts_any_server
from refresher.rules.placeholders import value_fault
from refresher.rules.providers import ClientAuth, Provider
from tests.catalogue.conftest import Fault, Load

TWO = '[providers.acme]\ntoken_url = "https://{host}/ccx/oauth2/{tenant}/token"\n'
HOST = "host_pattern = '[a-z-]+\\.workday\\.example'\n"
ONE = '[providers.acme]\ntoken_url = "https://acme.example/token"\n'


def test_a_second_placeholder_is_declared_with_its_pattern(load_text: Load):
    """The token URL may have a host and more, in a table of their own or in one line."""
    table = '[providers.acme.placeholders]\ntenant = "[a-z0-9_]+"'
    inline = 'placeholders = { tenant = "[a-z0-9_]+" }'
    for declared in (table, inline):
        loaded = load_text(TWO + HOST + declared)["acme"]
        assert loaded.placeholders == {"tenant": "[a-z0-9_]+"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            TWO + HOST,
            'token_url has {tenant}, which is not declared: add placeholders = { tenant = "PATTERN" }',
        ),
        (TWO + 'placeholders = { tenant = "a" }', "host_pattern is missing"),
        (
            ONE + 'parameters = { kind = "{user_type}" }',
            "parameters.kind has {user_type}, which is not declared",
        ),
        (
            ONE + 'headers = { X-Tenant = "{tenant}" }',
            "headers.X-Tenant has {tenant}, which is not",
        ),
        (
            ONE + 'parameters = { audience = "https://{host}/" }',
            "parameters.audience has {host}, but host_pattern is missing",
        ),
        (
            ONE + 'placeholders = { tenant = "a" }',
            "placeholders has tenant, but no URL, parameter, header or claim has {tenant}",
        ),
        (
            TWO + HOST + 'placeholders = { tenant = "a", host = "b" }',
            "placeholders has host, which has a field of its own: host_pattern",
        ),
        (
            TWO + HOST + 'placeholders = { tenant = "a", "T-1" = "b" }',
            'placeholders has "T-1", which is no name',
        ),
        (
            TWO + HOST + 'placeholders = { tenant = "[a-z" }',
            "placeholders.tenant is not a regular expression",
        ),
        (TWO + HOST + 'placeholders = { tenant = ".+" }', 'placeholders.tenant has a bare "."'),
        (
            TWO + HOST + 'placeholders = { tenant = "[a-z/]+" }',
            "placeholders.tenant matches '/', which is not one plain word of a URL",
        ),
        (
            ONE + 'parameters = { kind = "{kind}" }\nplaceholders = { kind = "[a-z" }',
            "placeholders.kind is not a regular expression",
        ),
        (
            TWO + HOST + "placeholders = { tenant = 7 }",
            "placeholders.tenant must be a text in quotes",
        ),
        ('[providers.acme]\ntoken_url = "https://a.example/{Te nant}"', "which is no placeholder"),
        (ONE + 'host_example = "a.example"', "host_example is set, but no URL has"),
        (
            '[providers.acme]\ntoken_url = "https://{host}/token"\n' + HOST + 'host_example = "x"',
            'host_example is "x", which host_pattern does not match',
        ),
        (
            ONE + 'keep_fields = ["refresh_token"]',
            'keep_fields has "refresh_token", which is stored anyway, or never',
        ),
        (
            ONE + f"keep_fields = {['f'] * 33}".replace("'", '"'),
            "keep_fields has more than 32 items",
        ),
        (
            ONE + 'slots.User = { path = ["a"] }',
            'slots has "User", which is no name: use a-z, 0-9 and "_"',
        ),
        (
            ONE + 'strategy = "client_credentials"\nslots.user = { path = ["a"] }',
            "slots.user is refreshed apart, but client_credentials has no refresh token",
        ),
        (ONE + "slots.user = { path = [] }", "slots.user.path must not be empty"),
        (ONE + "slots.user = {}", "slots.user.path is missing"),
        (ONE + 'slots.user = { path = ["a"], how = 1 }', 'there is no field "slots.user.how"'),
        (
            ONE + 'slots.user = { path = ["a"], refreshed = "alone" }',
            'slots.user.refreshed is "alone", but must be one of "apart", "together"',
        ),
        (ONE + 'keep_fields = ["a\\u0007"]', "keep_fields has a name that is longer than"),
        (
            ONE + 'client_auth = "basic_unencoded"',
            'must be one of "basic", "basic_raw", "post", "none"',
        ),
    ],
)
def test_each_mistake_has_its_sentence(fault: Fault, text: str, sentence: str):
    """It names the field, and what to do."""
    assert sentence in fault(text)


def test_braces_that_are_no_placeholder_stay(load_text: Load):
    """A parameter may hold JSON."""
    text = ONE + 'parameters = { claims = \'{"a": {"b": null}}\' }'
    assert load_text(text)["acme"].parameters["claims"] == '{"a": {"b": null}}'


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("client_secret_basic", ClientAuth.BASIC),
        ("client_secret_post", ClientAuth.POST),
        ("none", ClientAuth.NONE),
        ("basic_raw", ClientAuth.BASIC_RAW),
    ],
)
def test_the_rfc_s_names_of_client_authentication_are_known(
    load_text: Load, given: str, meant: ClientAuth
):
    """What a provider's metadata (RFC 8414) calls its methods can be copied."""
    assert load_text(ONE + f'client_auth = "{given}"')["acme"].client_auth is meant


@pytest.mark.parametrize(
    ("url", "pattern", "any_server"),
    [
        ("https://{server}/token", r"[a-z0-9.-]+", True),
        ("https://{server}/token", r"[a-z]+\.acme\.example", False),
        ("https://{server}.acme.example/token", r"[a-z.]+", False),
        ("https://acme.example/{server}/token", r"[a-z.]+", False),
    ],
)
def test_a_placeholder_that_is_the_server_is_looked_at_as_a_host_is(
    url: str, pattern: str, any_server: bool
):
    """`providers check` warns where a connection could name any server."""
    assert trusts_any_server(Provider("a", url, placeholders={"server": pattern})) is any_server


@pytest.mark.parametrize(
    ("value", "pattern", "in_url", "fault"),
    [
        ("acme", "[a-z]+", True, None),
        ("a.b-c_d~e", r"[\w.~-]+", True, None),
        ("acme corp", "[a-z ]+", False, None),
        ("acme corp", "[a-z ]+", True, "stands in a URL"),
        ("..", r"[.]+", True, "stands in a URL"),
        ("a/b", "[a-z/]+", True, "stands in a URL"),
        ("acme", "[0-9]+", True, "does not match the pattern"),
        ("acme\n", r"\w+\s", False, "does not match the pattern"),
        ("äcme", r"\w+", True, "does not match the pattern"),
        ("a" * 254, "a+", True, "is longer than 253 characters"),
    ],
)
def test_a_value_is_one_plain_word_of_a_url_whatever_the_pattern_says(
    value: str, pattern: str, in_url: bool, fault: str | None
):
    """It can neither leave its place in the URL nor end a header."""
    said = value_fault("tenant", value, pattern, in_url=in_url)
    assert said is None if fault is None else fault in str(said)
