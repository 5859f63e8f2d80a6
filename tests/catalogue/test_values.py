"""What an entry may say in values that are sent, of placeholders, and of how a grant is given back."""

from __future__ import annotations

import pytest

from tests.catalogue.conftest import ACME, Fault, Load

BASE = (
    '[providers.acme]\ntoken_url = "https://{host}/{base}/token"\n'
    "host_pattern = '[a-z]+\\.acme\\.example'\nplaceholders = { base = '[a-z/]+' }\n"
)
PATHS = BASE + 'path_placeholders = ["base"]\n'
REVOKED = ACME + 'revocation_url = "https://acme.example/revoke"\n'


@pytest.mark.parametrize(
    "text",
    [
        ACME
        + 'parameters = { client_assertion = "{client_secret}", assertion = "{refresh_token}" }',
        ACME + 'headers = { Authorization = "Bearer {access_token}" }',
        ACME + 'headers = { Authorization = "ID {client_basic}" }\nclient_auth = "none"',
        ACME + 'query = { t = "{now}", id = "{client_id}" }\nscope_separator = ","',
        ACME + 'client_auth = "none"\nsend_client_id = false',
        PATHS + 'default_placeholders = { base = "" }',
        PATHS + 'default_placeholders = { base = "a/b" }',
        REVOKED + 'revocation_method = "GET"\nrevocation_body = "query"',
        REVOKED + 'revocation_method = "DELETE"\nrevocation_token = "access_token"',
        REVOKED + 'revocation_parameters = {}\nrevocation_client_auth = "none"\n'
        'revocation_headers = { Authorization = "Bearer {access_token}" }',
    ],
)
def test_this_can_be_said(load_text: Load, text: str):
    """Shapes of real providers, without a secret in the file."""
    assert "acme" in load_text(text).names
    assert not load_text(text).broken


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            ACME + 'headers = { Authorization = "Bearer s3cr3t" }',
            "headers must not hold Authorization: client_auth and [apps] do that, or a value that",
        ),
        (
            ACME + 'headers = { Authorization = "Bearer {access_token}" }\nclient_auth = "basic"',
            'headers has Authorization, which HTTP Basic fills: set client_auth to "none" or "post"',
        ),
        (
            REVOKED + 'revocation_headers = { authorization = "Bearer {token}" }\n'
            'revocation_client_auth = "basic"',
            "revocation_headers has authorization, which HTTP Basic fills: set revocation_client_",
        ),
        (
            ACME + 'parameters = { client_secret = "x{client_secret}" }',
            "parameters must not hold client_secret",
        ),
        (ACME + 'query = { access_token = "" }', "query must not hold access_token"),
        (
            ACME + 'query = { s = "{client_secret}" }',
            "query.s has {client_secret}, and URLs are written down by whoever passes them on",
        ),
        (
            ACME + 'parameters = { t = "{token}" }',
            "parameters.t has {token}, which is what is given back: use {refresh_token}",
        ),
        (
            ACME + 'body = "query"\nquery = { a = "b" }',
            'body is "query", so parameters stand in the URL: move those of query to parameters',
        ),
        (
            '[providers.a]\ntoken_url = "https://a.example/{client_id}"',
            "token_url has {client_id}, which stands in values only: URLs are written down",
        ),
        (
            ACME + 'parameters = { a = "{now}" }\nplaceholders = { now = "a" }',
            "placeholders has now, which refresher fills in itself: choose another name",
        ),
        (ACME + "send_client_id = false", "send_client_id is false, which goes with client_auth ="),
        (ACME + 'scope_separator = "\\n"', "scope_separator has a control character"),
        (ACME + 'scope_separator = ""', "scope_separator must not be empty"),
        (BASE, "placeholders.base matches '/', which is not one plain word of a URL"),
        (
            PATHS.replace("[a-z/]+", "[a-z/?]+"),
            "placeholders.base matches 'a?b', which is not a path of plain words",
        ),
        (
            PATHS.replace("/{base}/", "/x{base}/"),
            "token_url has {base}, which may hold slashes: it must stand between slashes",
        ),
        (
            PATHS.replace("{host}/{base}/", "{base}/").replace("host_pattern", "# "),
            "token_url has {base}, which may hold slashes: it must stand between slashes",
        ),
        (
            BASE + 'path_placeholders = ["bass"]',
            "path_placeholders has bass, which placeholders does not declare",
        ),
        (
            ACME + 'parameters = { a = "{b}" }\nplaceholders = { b = "c" }\n'
            'path_placeholders = ["b"]',
            "path_placeholders has b, but no URL has {b}",
        ),
        (
            PATHS + 'default_placeholders = { base = "A" }',
            'default_placeholders.base "A" does not match the pattern',
        ),
        (
            PATHS + 'default_placeholders = { host = "eu.acme.example" }',
            "which placeholders does not declare: the host's is default_host",
        ),
        (
            PATHS + 'default_placeholders = { bass = "a" }',
            "default_placeholders has bass, which placeholders does not declare",
        ),
        (
            ACME + 'parameters = { a = "a{b}" }\nplaceholders = { b = "c" }\n'
            'default_placeholders = { b = "" }',
            "default_placeholders.b is empty, which only one of path_placeholders may be",
        ),
        (
            ACME + 'revocation_ends = "account"',
            "revocation_ends is set, but revocation_url is missing",
        ),
        (
            REVOKED + 'revocation_method = "GET"',
            'revocation_method is "GET", which has no body: set revocation_body = "query"',
        ),
        (
            REVOKED + "revocation_parameters = {}",
            "revocation_parameters and revocation_headers name no token: one of them has {token}",
        ),
    ],
)
def test_a_contradiction_is_one_sentence(fault: Fault, text: str, sentence: str):
    """It names the field and the mend, and repeats no secret."""
    said = fault(text)
    assert sentence in said
    assert "s3cr3t" not in said
