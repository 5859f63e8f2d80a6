"""Entries of the catalogue over real sockets, with both senders: as a deployment refreshes there."""

from dataclasses import replace
from uuid import uuid4

import pytest

from refresher.catalogue import load
from refresher.devkit.oauth_server import FakeProvider
from refresher.outbound.egress import Egress
from refresher.outbound.exchange import Exchange, Outgoing
from refresher.outbound.sender import SenderName, SendLimits
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Reply, Secret
from refresher.rules.fillings import Stamp
from refresher.rules.outcomes import Misconfigured, Outcome, Refreshed, Revoked, classify
from refresher.rules.providers import ClientAuth
from refresher.rules.requests import (
    TokenRequest,
    build_request,
)
from refresher.rules.revocations import build_revocation
from refresher.testing.proof.apps import apps_of

CATALOGUE = load()
CLIENT = ClientCredentials("fake-client", Secret("fake-secret"))
SENDERS: tuple[SenderName, ...] = ("httpx", "pyreqwest")
# A form and JSON, Basic and a query, hosts of a connection, renamed parameters, another error shape.
NAMES = ("google", "notion", "shopify", "salesforce", "tiktok", "facebook", "quickbooks")


def sent(exchange: Exchange, request: TokenRequest) -> Reply:
    """The reply to one request."""
    (group,) = list(exchange.stream([Outgoing(0, request, 5.0)]))
    return group[0][1]


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_refreshed_over_a_socket(name: str, sender: SenderName):
    """Two refreshes follow each other, a withdrawn consent ends the grant, a given back token, too."""
    with FakeProvider.of(CATALOGUE[name]) as provider:
        entry = provider.entry
        assert entry is not None
        exchange = Exchange(SendLimits(), name=sender, egress=Egress(loopback=True))
        first, second = provider.admin.create_grants(2)
        access, refresh = Secret(first.access_token), Secret(first.refresh_token or "")

        def refreshed() -> Outcome:
            request = build_request(
                entry,
                client=CLIENT,
                access_token=access,
                refresh_token=refresh,
                host=entry.default_host or entry.host_example,
            )
            return classify(entry, sent(exchange, request), provider.state.clock.now())

        for _ in range(2):
            outcome = refreshed()
            assert isinstance(outcome, Refreshed), outcome
            access, refresh = outcome.grant.access_token, outcome.grant.refresh_token or refresh
        provider.admin.revoke(first.external_id)
        assert isinstance(refreshed(), Revoked)
        revocation = build_revocation(
            entry,
            client=CLIENT,
            access_token=Secret(second.access_token),
            refresh_token=Secret(second.refresh_token or ""),
            host=entry.default_host or entry.host_example,
        )
        if revocation is not None:
            assert sent(exchange, revocation).status == 200
            assert provider.admin.summary().tokens_revoked == 1
        exchange.close()


def test_an_app_that_signs_is_known_by_its_key():
    """Its assertions are for the provider's own endpoint, wherever that is played."""
    signing = replace(CATALOGUE["google"], client_auth=ClientAuth.PRIVATE_KEY_JWT)
    apps = apps_of(signing)
    with FakeProvider.of(signing, client_id=apps.known.client_id) as provider:
        assert provider.entry is not None
        assert provider.places["assertion_audience"] == CATALOGUE["google"].token_url
        provider.admin.set_public_key(apps.public_key)
        exchange = Exchange(SendLimits(), name="httpx", egress=Egress(loopback=True))
        token = provider.admin.create_grants(1)[0].refresh_token or ""
        for client, meaning in ((apps.known, Refreshed), (apps.stranger, Misconfigured)):
            request = build_request(
                provider.entry,
                client=client,
                access_token=None,
                refresh_token=Secret(token),
                draw=lambda: Stamp(provider.state.clock.now(), str(uuid4())),
            )
            outcome = classify(provider.entry, sent(exchange, request), 0.0)
            assert isinstance(outcome, meaning), outcome
        exchange.close()
