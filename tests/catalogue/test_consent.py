"""What an entry says of a person's consent: how it is written, told and refused."""

from __future__ import annotations

import pytest

from refresher.catalogue import describe, load
from refresher.rules.consent import Consent, Identity, SecondStep, why_not
from refresher.rules.kinds import BodyForm, Strategy
from refresher.rules.providers import Provider
from tests.catalogue.conftest import ACME, Fault, Load

ASKING = ACME + 'authorize_url = "https://acme.example/authorize"\n'
ANSWER = 'identity = { found_in = "answer", paths = ["id"] }\n'
CONNECT = ASKING + "[providers.acme.connect]\n"
WHOLE = CONNECT + ANSWER
USERINFO = 'identity = { found_in = "userinfo", paths = ["id"], url = "https://acme.example/me" }\n'
HOSTED = ASKING.replace("[providers.acme]\n", "[providers.acme]\nhost_pattern = '{}'\n").replace(
    "https://acme.example/token", "https://{{host}}/token"
)
OWN = HOSTED.format(r"[a-z]+\.acme\.example") + "[providers.acme.connect]\n" + ANSWER
ANY = HOSTED.format(r"[a-z]+\.[a-z]+") + "[providers.acme.connect]\n" + ANSWER


def test_a_table_is_read_and_shown(load_text: Load):
    """Nested tables are values; what is shown is what the entry says."""
    step = '[providers.acme.connect.second_step]\nurl = "https://acme.example/long"\n'
    acme = load_text(CONNECT + 'code_body = "json"\n' + USERINFO + step)["acme"]
    assert acme.connect == Consent(
        identity=Identity(found_in=("userinfo",), paths=(("id",),), url="https://acme.example/me"),
        code_body=BodyForm.JSON,
        second_step=SecondStep(url="https://acme.example/long"),
    )
    assert acme.userinfo_url == "https://acme.example/me"
    assert describe(acme)["connect"] == {
        "identity": {"found_in": ["userinfo"], "paths": [["id"]], "url": "https://acme.example/me"},
        "code_body": "json",
        "second_step": {"url": "https://acme.example/long"},
    }


def test_the_address_of_userinfo_may_be_the_entrys_own(load_text: Load):
    """What an issuer's metadata tells serves an entry that does not."""
    asked = 'identity_url = "https://acme.example/me"\n[providers.acme.connect]\n'
    told = 'identity = { found_in = "userinfo", paths = ["sub"] }'
    assert load_text(ASKING + asked + told)["acme"].userinfo_url == "https://acme.example/me"
    issuer = '[providers.acme]\nissuer = "https://acme.example"\n[providers.acme.connect]\n'
    assert load_text(issuer + told)["acme"].userinfo_url is None


def test_a_table_is_laid_over_the_one_that_it_extends_field_by_field(load_text: Load):
    """What it does not say stays."""
    text = (
        '[providers.google]\nextends = "google"\n[providers.google.connect]\nscopes = ["openid"]\n'
    )
    own, built_in = load_text(text)["google"].connect, load()["google"].connect
    assert own
    assert built_in
    assert own.scopes == ("openid",)
    assert own.identity == built_in.identity


@pytest.mark.parametrize(
    ("provider", "why"),
    [
        (load()["google"], None),
        (Provider("a", strategy=Strategy.CLIENT_CREDENTIALS), "the app alone has its tokens made"),
        (Provider("a", strategy=Strategy.PLUGIN), "the business of a plug-in"),
        (Provider("a", "https://a.example/t"), "no authorize_url, and no [connect]"),
        (Provider("a", "https://a.example/t", authorize_url="https://a.example"), "no [connect]"),
        (Provider("a", issuer="https://a.example"), "no [connect]"),
    ],
)
def test_who_cannot_connect_is_told_why(provider: Provider, why: str | None):
    """One sentence, or none."""
    said = why_not(provider)
    assert said is None if why is None else said and why in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ASKING + "connect = 3", "connect must be a table"),
        (CONNECT, "connect.identity is missing"),
        (WHOLE + "scope = 1", 'no field "connect.scope" (did you mean "connect.scopes"'),
        (CONNECT + 'identity = { found_in = "token", paths = ["id"] }', "must be one of"),
        (CONNECT + 'identity = { found_in = "answer", paths = [] }', "paths must not be empty"),
        (CONNECT + 'identity = { found_in = [], paths = ["id"] }', "found_in must not be empty"),
        (CONNECT + USERINFO.replace("paths", "pahts"), 'did you mean "connect.identity.paths"'),
        (WHOLE.replace("authorize_url", "app_url"), "authorize_url is missing"),
        (
            WHOLE.replace("token_url", 'strategy = "client_credentials"\ntoken_url'),
            'connect is set, but strategy is "client_credentials"',
        ),
        (WHOLE + 'code_url = "http://a.example"', "connect.code_url must begin with https://"),
        (WHOLE + 'code_url = "https://{host}/t"', "has {host}, but host_pattern is missing"),
        (WHOLE + 'code_method = "GET"', 'set code_body = "query"'),
        (WHOLE.replace("[providers.acme.c", 'pkce = "no"\n[providers.acme.c')
         + 'pkce_encoding = "hex"', 'but pkce is "no"'),
        (
            WHOLE.replace(
                "token_url", 'strategy = "long_lived_exchange"\ngrant_type = "x"\ntoken_url'
            ),
            'connect.refresh_token must be "never"',
        ),
        (WHOLE + 'parameters = ["state"]', "connect.parameters must not name state"),
        (WHOLE + 'other_account = { nonce = "1" }', "other_account must not hold nonce"),
        (WHOLE + 'code_parameters = { code = "1" }', "code_parameters must not hold code"),
        (WHOLE + 'code_parameters = { a = "{b}" }', "code_parameters.a has {b}, which is not"),
        (WHOLE + 'other_account = { a = "{host}" }', "other_account.a has {host}, but host_p"),
        (WHOLE + 'code_parameters = { access_token = "x" }', "secrets belong to [apps]"),
        (
            CONNECT + USERINFO.replace("url", 'headers = { Authorization = "Bearer x" }, url'),
            "connect.identity.headers must not hold Authorization",
        ),
        (
            CONNECT + 'identity = { found_in = "userinfo", paths = ["id"] }',
            "connect.identity.url is missing",
        ),
        (CONNECT + USERINFO.replace("userinfo", "answer"), 'found_in does not have "userinfo"'),
        (CONNECT + USERINFO.replace("url", 'body = "{}", url'), "a GET has none"),
        (CONNECT + USERINFO.replace("url", 'body = "[]", url'), "body is no JSON object"),
        (CONNECT + USERINFO.replace("url", 'body = "{", url'), "body is no JSON object"),
        (WHOLE + 'jwks_url = "https://a.example"', 'found_in does not have "id_token"'),
        (WHOLE + 'callback_claims = { a = "b" }', 'scopes lack "openid"'),
        (WHOLE + 'host_from_callback = "shop"', "host_from_callback is set, but host_pattern"),
        (ANY + "asks_host = true", "host_pattern matches any server"),
        (WHOLE + 'unsure = ["identiy"]', 'no field (did you mean "identity"'),
        (WHOLE + 'sources = ["acme"]', 'connect.sources has "acme", which is no link'),
    ],
)  # fmt: skip
def test_each_mistake_has_its_sentence(fault: Fault, text: str, sentence: str):
    """It names the field, and what to do."""
    assert sentence in fault(text)


def test_what_is_right_is_taken(load_text: Load):
    """Placeholders of the app and the host, in the places that may have them."""
    more = """asks_host = true
host_from_callback = "shop"
unsure = ["identity", "authorize_url"]
sources = ["https://acme.example/docs"]
code_parameters = { of = "{host}", secret = "{client_secret}" }
other_account = { prompt = "login" }
second_step = { url = "https://{host}/long", parameters = { client_secret = "{client_secret}" } }
scopes = ["openid"]
callback_claims = { shop = "shop" }
jwks_url = "https://acme.example/keys"
"""
    assert load_text(OWN + more)["acme"].connect
    own = USERINFO.replace("url", 'headers = { Authorization = "Zoho {access_token}" }, url')
    assert load_text(CONNECT + own)["acme"].connect
