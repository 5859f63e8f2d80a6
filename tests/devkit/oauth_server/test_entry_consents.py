"""Consents at entries of the catalogue over real sockets, as a browser and a deployment meet them."""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest

from refresher.catalogue import load
from refresher.devkit.browser import Browser
from refresher.devkit.oauth_server import FakeProvider
from refresher.outbound.egress import Egress
from refresher.outbound.exchange import Exchange, Outgoing
from refresher.outbound.sender import SendLimits
from refresher.rules import accounts
from refresher.rules.authorize import (
    Asking,
    Code,
    Party,
    asked_scopes,
    authorize_url,
    code_request,
    code_url,
    uses_pkce,
)
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.fillings import Stamp
from refresher.testing.sandbox import _providers_file
from tests import loopback
from tests.processes import Spawner

CATALOGUE = load()
BACK = "https://connect.example/connect/callback/it"


def consented(provider: FakeProvider, **parameters: str) -> tuple[Party, dict[str, str]]:
    """A person's way through the entry's page; what the callback brings."""
    entry = provider.entry
    assert entry is not None
    host = entry.default_host or entry.host_example
    party = Party(entry, ClientCredentials("fake-client", Secret("fake-secret")), host)
    asking = Asking(
        BACK,
        Secret("s" * 43),
        Secret("v" * 43),
        Secret("n" * 43),
        asked_scopes(entry, ()),
        parameters,
    )
    with Browser() as browser:
        browser.open(authorize_url(party, asking))
        page = browser.submit("Allow", until=BACK, account="zoe")
    return party, dict(parse_qsl(urlsplit(page.next_url or "").query))


def answer(party: Party, pairs: Mapping[str, str]) -> bytes:
    """What the code gives."""
    verifier = Secret("v" * 43) if uses_pkce(party.provider) else None
    code = Code(Secret(pairs["code"]), code_url(party), BACK, verifier)
    request = code_request(party, code, lambda: Stamp(0.0, "0"))
    exchange = Exchange(SendLimits(), name="httpx", egress=Egress(loopback=True))
    (group,) = list(exchange.stream([Outgoing(0, request, 5.0)]))
    exchange.close()
    return group[0][1].body


@pytest.mark.parametrize("name", ["microsoft", "shopify", "tiktok"])
def test_a_person_consents_at_an_entry(name: str) -> None:
    """The entry's page, parameters, callback and answer, at places that this server plays."""
    with FakeProvider.of(CATALOGUE[name], consent="page") as provider:
        party, pairs = consented(provider)
        body = answer(party, pairs)
        assert b"access_token" in body, body
        assert provider.admin.summary().codes_exchanged == 1
        if name == "shopify":
            assert (pairs["shop"], len(pairs["hmac"])) == ("acme.myshopify.com", 64)
        if name == "microsoft":
            assert_signed(party, body)


def assert_signed(party: Party, body: bytes) -> None:
    """Fails unless the id_token is good by what the entry says: keys, issuer of the tenant, nonce."""
    consent = party.consent
    keys = jwt.PyJWKSet.from_dict(loopback.get(party.url(consent.jwks_url or "")).json())
    text, issuer = json.loads(body)["id_token"], (consent.issuer or "").replace("{tid}", "fake-tid")
    claims = jwt.decode(text, keys["fake-1"], audience="fake-client", issuer=issuer)
    assert (claims["tid"], claims["oid"], claims["nonce"]) == ("fake-tid", "zoe", "n" * 43)


@pytest.mark.parametrize("name", ["google", "microsoft", "instagram", "linear", "zoho", None])
def test_a_providers_file_teaches_the_places(name: str | None, tmp_path: Path) -> None:
    """What a sandbox writes for a provider is read back as the entry that is played here."""
    provider = FakeProvider() if name is None else FakeProvider(entry=CATALOGUE[name])
    file = tmp_path / "providers.toml"
    file.write_text(_providers_file(provider))
    read = load(file, allow_loopback=True)["fake" if name is None else name]
    if name is None:
        assert read.authorize_url == f"{provider.url}/authorize"
        assert read.connect is not None
    else:
        assert provider.entry is not None
        assert (read.connect, read.authorize_url) == (
            provider.entry.connect, provider.entry.authorize_url
        )  # fmt: skip
    provider.stop()


@pytest.mark.slow
def test_the_process_tells_the_places_of_a_consent(spawn: Spawner) -> None:
    """`--entry` prints what a providers file needs, `[connect]` as a table."""
    process = spawn("-m", "refresher.devkit.oauth_server", "--entry", "google")
    process.wait_for("}\n")
    assert '"connect": {"jwks_url": "http://127.0.0.1:' in process.output
    process.terminate()
    assert process.wait() == 0


def test_one_consent_gives_the_tokens_of_all_slots() -> None:
    """At Slack, who asks for user scopes besides gets a person's token in the answer, of its own."""
    with FakeProvider.of(CATALOGUE["slack"], consent="page") as provider:
        party, pairs = consented(provider, user_scope="search:read")
        told = json.loads(answer(party, pairs))
    assert (told["authed_user"]["id"], told["team"]["id"]) == ("zoe", "fake-id")
    assert told["authed_user"]["access_token"] != told["access_token"]
    assert told["authed_user"]["refresh_token"] != told["refresh_token"]


def test_a_callback_names_a_strangers_shop() -> None:
    """What the options say of a callback stands in place of the entry's own, signed or not."""
    with FakeProvider.of(CATALOGUE["shopify"], consent="page") as provider:
        provider.admin.change_options(
            callback_parameters="shop=evil.example", callback_hmac="wrong"
        )
        _, pairs = consented(provider)
    assert pairs["shop"] == "evil.example"
    assert not accounts.is_signed([*pairs.items()], "hmac", Secret("fake-secret"))
