"""Servers that nobody wrote an entry for: found, judged, and made known to; and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from refresher.catalogue import Catalogue
from refresher.catalogue.generic import slug
from refresher.connections import discovery
from refresher.connections.discovered import Discovered, discovered, with_provider
from refresher.errors import DiscoveryRefused
from refresher.insight.doctor import issuers as doctor
from refresher.outbound.egress import Egress
from refresher.outbound.exchange import Exchange
from refresher.outbound.sender import SendLimits
from refresher.rules.access import Actor
from refresher.rules.providers import ClientAuth, Provider
from refresher.runtime.clients import opened
from refresher.runtime.issuers import KeptMetadata
from refresher.runtime.services import Services
from refresher.store import oauth_apps
from tests.issuers import OAUTH, RESOURCE, Issuer, issuing
from tests.world import World

BY = Actor("cli:test")
PUBLIC = "http://127.0.0.1:8080"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An MCP server that is its own authorization server, on loopback."""
    with issuing() as running:
        running.tell_more()
        yield running


@pytest.fixture
def other() -> Iterator[Issuer]:
    """Another one."""
    with issuing() as running:
        running.tell_more()
        yield running


@pytest.fixture
def asking(world: World) -> Iterator[Services]:
    """Services that may discover any server on loopback."""
    known = Catalogue({}, {})
    kept = KeptMetadata(world.services.database)
    known.resolver, known.finder = kept, kept.named
    exchange = Exchange(SendLimits(), name="httpx", egress=Egress(loopback=True))
    yield with_settings(
        replace(world.services, catalogue=known, exchange=exchange),
        allow_insecure_hosts="loopback",
        public_url=PUBLIC,
        connect_discovery="any",
    )
    exchange.close()


def with_settings(services: Services, **changed: Any) -> Services:
    """Returns the same services with other settings."""
    return replace(services, settings=services.settings.model_copy(update=changed))


def found(services: Services, **named: Any) -> Discovered:
    """Returns what is found."""
    return discovered(services, by=BY, **named)


def refused(services: Services, **named: Any) -> str:
    """Returns the sentence of a refusal."""
    with pytest.raises(DiscoveryRefused) as why:
        found(services, **named)
    return str(why.value)


def client(services: Services, provider: str) -> Any:
    """Returns our client at a provider, in the clear."""
    with services.database.transaction() as db:
        app = oauth_apps.find(db, provider, "default")
    return app and opened(services.cipher, app)


def test_a_server_is_found_and_we_are_registered(world: World, issuer: Issuer, asking: Services):
    """Challenge, both metadata, registration: then its provider is there; nobody is asked twice."""
    issuer.challenge = f'Bearer resource_metadata="{issuer.url}/meta", scope="read"'
    url = issuer.serve(at="/meta")
    said = found(asking, server_url=url)
    name = slug(issuer.url)
    assert said == Discovered(name, {"resource": url}, ("read",))
    assert issuer.asked == ["/mcp", "/meta", OAUTH, "/register"]
    assert issuer.registered[0]["redirect_uris"] == [f"{PUBLIC}/connect/callback/{name}"]
    assert issuer.registered[0]["scope"] == "read write"
    assert all("authorization" not in told and "cookie" not in told for told in issuer.told)
    provider = asking.catalogue[name]
    assert (provider.token_url, provider.client_auth) == (f"{issuer.url}/token", ClientAuth.POST)
    assert (provider.authorize_url, provider.pkce) == (f"{issuer.url}/authorize", "required")
    assert asking.catalogue.origin(name) == "discovered"
    mine = client(asking, name)
    assert (mine.client_id, mine.client_secret.reveal()) == ("c-1", "s-1")
    assert found(asking, server_url=url) == said
    assert len(issuer.asked) == 4
    assert [row.action for row in world.rows("select action from audit")] == ["app_registered"]


def test_metadata_at_the_well_known_places_is_enough(issuer: Issuer, asking: Services):
    """Without a word of the server; scopes are then what its metadata lists."""
    url = issuer.serve(at=RESOURCE, resource=issuer.url)
    said = found(asking, server_url=url)
    assert issuer.asked[:3] == ["/mcp", RESOURCE + "/mcp", RESOURCE]
    assert said == Discovered(slug(issuer.url), {"resource": issuer.url}, ("read", "write"))


def test_an_issuer_by_itself_is_found(issuer: Issuer, asking: Services):
    """The same provider as that of its servers, without a resource."""
    assert found(asking, issuer=issuer.url) == Discovered(slug(issuer.url))
    assert slug(issuer.url) in asking.catalogue
    assert "i-0000000000000000" not in asking.catalogue


def test_of_several_issuers_the_one_that_knows_us_counts(
    issuer: Issuer, other: Issuer, asking: Services
):
    """So a server that names another one first moves nobody."""
    assert found(asking, issuer=issuer.url).provider == slug(issuer.url)
    issuer.told.clear()
    url = other.serve(authorization_servers=[other.url, issuer.url])
    assert found(asking, server_url=url).provider == slug(issuer.url)
    assert other.registered == []


def test_a_strange_server_never_sees_the_secret_of_another(
    issuer: Issuer, other: Issuer, asking: Services
):
    """Each issuer has its own client; what one said is not believed of the other (T21)."""
    found(asking, server_url=issuer.serve())
    other.client = {"client_id": "c-2", "client_secret": "s-2"}
    found(asking, server_url=other.serve("/evil"))
    assert client(asking, slug(issuer.url)).client_secret.reveal() == "s-1"
    assert client(asking, slug(other.url)).client_secret.reveal() == "s-2"
    told = [*other.told, *other.registered, *other.asked]
    assert "s-1" not in str(told)
    assert "c-1" not in str(told)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"issuer": "https://evil.example"}, "is the metadata of another issuer"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint must begin"),
        ({"authorization_endpoint": None}, "names no authorization_endpoint: nobody can consent"),
        ({"registration_endpoint": None}, "registers no client by itself: `refresher providers"),
        ({"registration_endpoint": "https://10.0.0.1/r"}, "leads to 10.0.0.1 (private), which"),
        ({"code_challenge_methods_supported": ["plain"]}, "does not say that it takes code chall"),
    ],
)
def test_an_issuer_that_does_not_fit_is_one_sentence(
    issuer: Issuer, asking: Services, fields: dict[str, Any], sentence: str
):
    """Nothing is stored, nobody is registered."""
    issuer.tell_more(**fields)
    assert sentence in refused(asking, server_url=issuer.serve())
    assert issuer.registered == []
    assert slug(issuer.url) not in asking.catalogue


@pytest.mark.parametrize(
    ("fields", "challenge", "sentence"),
    [
        ({"resource": "https://evil.example/mcp"}, None, "is the metadata of another resource"),
        ({"authorization_servers": ["https://10.0.0.1"]}, None, "leads to 10.0.0.1 (private)"),
        (
            {},
            'Bearer resource_metadata="https://evil.example/meta"',
            "says that its metadata stands on another server",
        ),
    ],
)
def test_a_server_that_does_not_fit_is_one_sentence(
    issuer: Issuer, asking: Services, fields: dict[str, Any], challenge: str | None, sentence: str
):
    """Its own metadata is judged first."""
    issuer.challenge = challenge
    assert sentence in refused(asking, server_url=issuer.serve(**fields))


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ({}, "give server_url or issuer: one of them"),
        ({"server_url": "https://a.example", "issuer": "https://a.example"}, "one of them"),
        ({"server_url": "https://10.0.0.1/mcp"}, "leads to 10.0.0.1 (private), which only"),
        ({"server_url": "https://169.254.169.254/"}, "leads to 169.254.169.254 (metadata)"),
    ],
)
def test_what_may_not_be_asked_is_not_asked(asking: Services, named: dict[str, Any], sentence: str):
    """The sentence names the setting that could allow it."""
    assert sentence in refused(asking, **named)


def test_only_what_is_listed_unless_any_may_be_named(issuer: Issuer, asking: Services):
    """An entry of the providers file is found by its resource, or its issuer; nobody is asked."""
    url, asking = issuer.serve(), with_settings(asking, connect_discovery="listed")
    assert "`refresher providers add" in refused(asking, server_url=url)
    assert "`refresher providers add" in refused(asking, issuer=issuer.url)
    mine = Provider("mine", issuer=issuer.url)
    ours = replace(mine, name="ours", default_placeholders={"resource": issuer.url})
    listed = replace(asking, catalogue=Catalogue({"mine": mine, "ours": ours}, {}))
    assert found(listed, server_url=url) == Discovered("ours")
    assert found(listed, issuer=issuer.url) == Discovered("mine")
    assert issuer.asked == []


def test_without_a_public_url_nobody_is_registered(issuer: Issuer, asking: Services):
    """The sentence names the setting; once it is there, the next one who asks is registered."""
    url = issuer.serve()
    none = with_settings(asking, public_url=None)
    assert "REFRESHER_PUBLIC_URL is not set" in refused(none, server_url=url)
    assert found(asking, server_url=url).provider == slug(issuer.url)


def test_a_failure_is_remembered_for_a_while(issuer: Issuer, asking: Services):
    """So nobody makes us ask a server again and again."""
    url = issuer.url + "/mcp"
    assert "answers with 404" in refused(asking, server_url=url)
    asked = len(issuer.asked)
    issuer.serve()
    assert "answers with 404" in refused(asking, server_url=url)
    assert len(issuer.asked) == asked


def test_a_client_whose_secret_has_ended_is_registered_anew(
    world: World, issuer: Issuer, asking: Services
):
    """Not before, and not one that was given by hand."""
    issuer.client["client_secret_expires_at"] = 1
    url = issuer.serve()
    found(asking, server_url=url)
    found(asking, server_url=url)
    assert len(issuer.registered) == 1
    world.pass_time(3_700)
    issuer.client = {"client_id": "c-9"}
    found(asking, server_url=url)
    assert client(asking, slug(issuer.url)).client_id == "c-9"
    found(asking, server_url=url)
    assert len(issuer.registered) == 2


def test_the_metadata_of_a_discovered_issuer_is_read_again(
    world: World, issuer: Issuer, asking: Services
):
    """As that of an entry: each day, and tokens go to no new host before a person says so."""
    found(asking, server_url=issuer.serve())
    issuer.tell_more(token_endpoint="https://evil.example/token")
    world.pass_time(discovery.KEEP_SECONDS + 1)
    discovery.look(asking)
    assert asking.catalogue[slug(issuer.url)].token_url == f"{issuer.url}/token"
    (row,) = world.rows("select trouble from issuer")
    assert "tokens go to evil.example: confirm it" in row.trouble
    (said,) = doctor.check(asking.settings, asking.database)
    assert (said.level, slug(issuer.url) in said.message) == ("fail", True)


def test_a_server_that_names_another_issuer_moves_nobody(
    world: World, issuer: Issuer, other: Issuer, asking: Services
):
    """Its connections keep theirs, and doctor tells (D5)."""
    url = issuer.serve()
    said = found(asking, server_url=url)
    world.services = asking
    world.connect(provider=said.provider, placeholders=dict(said.placeholders))
    assert list(doctor.check(asking.settings, asking.database)) == []
    issuer.serve(authorization_servers=[other.url])
    (warned,) = doctor.check(asking.settings, asking.database)
    assert f"names other issuers now ({other.url})" in warned.message
    assert warned.level == "warn"
    issuer.pages = {}
    (warned,) = doctor.check(asking.settings, asking.database)
    assert "tells nothing of itself" in warned.message


def test_a_session_names_a_server_instead_of_a_provider(issuer: Issuer, asking: Services):
    """Its provider and resource come to what else is asked for; scopes that are named count alone."""
    url = issuer.serve()
    given: dict[str, Any] = {"external_id": "7", "server_url": url, "issuer": None, "scopes": []}
    whole = with_provider(asking, given, BY)
    name = slug(issuer.url)
    assert whole == {
        "external_id": "7", "provider": name, "placeholders": {"resource": url},
        "scopes": ("read", "write"),
    }  # fmt: skip
    assert with_provider(asking, {**given, "scopes": ["read"]}, BY)["scopes"] == ["read"]
    assert with_provider(asking, {"provider": "x"}, BY) == {"provider": "x"}
    with pytest.raises(DiscoveryRefused, match="give one of provider, connection_id"):
        with_provider(asking, {**given, "provider": "x"}, BY)
