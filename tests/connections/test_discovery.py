"""Entries with an issuer: its metadata is read beside the work, kept, dated, and read again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from refresher.catalogue import Catalogue
from refresher.connections import discovery
from refresher.connections.provider_entries import ProviderEntries
from refresher.insight.doctor import issuers as doctor
from refresher.outbound.egress import Egress
from refresher.outbound.exchange import Exchange
from refresher.outbound.sender import SendLimits
from refresher.rules.providers import ClientAuth, Provider
from refresher.runtime import issuers as of_process
from refresher.runtime.issuers import KeptMetadata
from refresher.runtime.services import Services
from refresher.store import issuers
from refresher.store.issuers import KeptIssuer
from tests.issuers import OAUTH, OPENID, Issuer, issuing
from tests.world import World

DAY = 86_401.0


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An authorization server on loopback."""
    with issuing() as running:
        yield running


@pytest.fixture
def asking(world: World, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Services whose catalogue has `dot` by its issuer, and whose exchange reaches it."""
    monkeypatch.setattr(of_process, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(of_process, "ASK_AGAIN_SECONDS", 0.0)
    dot = Provider("dot", issuer=issuer.url, client_auth=ClientAuth.NONE)
    known = Catalogue({"dot": dot}, {})
    known.resolver = KeptMetadata(world.services.database)
    world.services = replace(
        world.services,
        catalogue=known,
        settings=world.services.settings.model_copy(update={"allow_insecure_hosts": "loopback"}),
    )
    egress = Egress(loopback=True)
    exchange = Exchange(SendLimits(), name="httpx", egress=egress)
    yield replace(world.services, exchange=exchange)
    exchange.close()


def kept(services: Services, issuer: Issuer) -> KeptIssuer:
    """Returns the issuer's row."""
    with services.database.transaction() as db:
        found = issuers.find(db, issuer.url)
    assert found is not None
    return found


def url(services: Services) -> Any:
    """Returns where tokens of dot are asked for."""
    return services.catalogue["dot"].token_url


def test_a_row_waits_for_the_metadata_and_goes_on(
    world: World, issuer: Issuer, asking: Services
) -> None:
    """Nothing is sent before the endpoint is known; then the row is refreshed without a command."""
    world.run("insert into app (id, provider, name, client_id) values "
              "(gen_random_uuid(), 'dot', 'default', 'x')")  # fmt: skip
    entries = ProviderEntries(world.services)
    id_ = world.connect(provider="dot", expires_in=0)
    assert world.row(id_).parked_reason == "unknown_provider"
    entries.look()
    assert world.row(id_).state == 2
    discovery.look(asking)
    assert issuer.asked == [OAUTH]
    entries.look()
    assert world.tick()["refreshed"] == 1
    assert world.script.asked[0].url == f"{issuer.url}/token"


def test_metadata_is_read_once_a_day(world: World, issuer: Issuer, asking: Services) -> None:
    """Whoever looks in between asks nobody; an endpoint that moves on its host is followed."""
    discovery.look(asking)
    discovery.look(asking)
    assert issuer.asked == [OAUTH]
    issuer.tell(token_endpoint=f"{issuer.url}/moved")
    world.pass_time(DAY)
    discovery.look(asking)
    assert (url(asking), issuer.asked) == (f"{issuer.url}/moved", [OAUTH, OAUTH])


def test_openid_metadata_is_the_second_place(issuer: Issuer, asking: Services) -> None:
    """Servers that know OpenID Connect only are read there."""
    issuer.tell(OPENID)
    discovery.look(asking)
    assert issuer.asked == [OAUTH, OPENID]
    assert url(asking) == f"{issuer.url}/token"


@pytest.mark.parametrize("trouble", ["rubbish", "redirect", "foreign", "away"])
def test_what_is_kept_goes_on_while_reading_fails(
    world: World, issuer: Issuer, asking: Services, trouble: str
) -> None:
    """Rubbish, a redirect, another issuer's metadata: told with its reason, and asked again soon."""
    discovery.look(asking)
    read_at = kept(asking, issuer).read_at
    match trouble:
        case "rubbish":
            issuer.pages = {OAUTH: (200, b"<html>")}
        case "redirect":
            issuer.pages = {OAUTH: (302, f"{issuer.url}{OPENID}".encode())}
        case "foreign":
            issuer.tell(issuer="https://evil.example")
        case _:
            issuer.pages = {}
    world.pass_time(DAY)
    discovery.look(asking)
    row = kept(asking, issuer)
    assert row.trouble is not None
    assert row.trouble.count(issuer.url) >= 2
    assert row.read_at == read_at
    assert url(asking) == f"{issuer.url}/token"
    world.pass_time(discovery.RETRY_SECONDS + 1)
    issuer.tell()
    discovery.look(asking)
    assert kept(asking, issuer).trouble is None


def test_tokens_go_to_no_new_host_before_a_person_says_so(
    world: World, issuer: Issuer, asking: Services
) -> None:
    """A re-read endpoint elsewhere waits; what is kept goes on, and a confirmation takes it."""
    discovery.look(asking)
    issuer.tell(token_endpoint="https://elsewhere.example/token")
    world.pass_time(DAY)
    discovery.look(asking)
    assert "tokens go to elsewhere.example: confirm it" in str(kept(asking, issuer).trouble)
    assert url(asking) == f"{issuer.url}/token"
    with asking.database.transaction() as db:
        assert issuers.confirm(db, issuer.url)
        assert issuers.confirm(db, issuer.url) is None
    assert url(asking) == "https://elsewhere.example/token"


def test_who_goes_back_needs_no_confirmation(
    world: World, issuer: Issuer, asking: Services
) -> None:
    """What was proposed is forgotten when the issuer says the old again."""
    discovery.look(asking)
    issuer.tell(token_endpoint="https://elsewhere.example/token")
    world.pass_time(DAY)
    discovery.look(asking)
    issuer.tell()
    world.pass_time(discovery.RETRY_SECONDS + 1)
    discovery.look(asking)
    assert (kept(asking, issuer).proposed, kept(asking, issuer).trouble) == (None, None)


def test_nobody_is_asked_where_no_entry_has_an_issuer(world: World) -> None:
    """The usual catalogue costs a look at an empty list."""
    discovery.look(world.services)
    assert world.rows("select * from issuer") == []


def test_doctor_says_how_each_issuer_stands(
    world: World, issuer: Issuer, asking: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not known yet, known, failing since, and moved to another host: each with its mend."""
    settings = asking.settings
    monkeypatch.setattr(doctor, "catalogue_from", lambda _settings: asking.catalogue)

    def said() -> tuple[str, str]:
        (found,) = doctor.check(settings, asking.database)
        return found.level, found.message

    level, message = said()
    assert (level, "no scheduler has asked it yet" in message) == ("fail", True)
    discovery.look(asking)
    assert said()[0] == "ok"
    issuer.pages = {}
    world.pass_time(DAY)
    discovery.look(asking)
    level, message = said()
    assert (level, "what was read on" in message, "answers with 404" in message) == (
        "warn", True, True,
    )  # fmt: skip
    issuer.tell(token_endpoint="https://elsewhere.example/token")
    world.pass_time(DAY)
    discovery.look(asking)
    level, message = said()
    assert (level, "tokens go to elsewhere.example" in message) == ("fail", True)
