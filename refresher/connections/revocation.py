"""Ends a grant at its provider (RFC 7009) when its connection is deleted. Best effort, with an event.

The connection is deleted whatever comes of it: a provider without an endpoint, or one that is away,
must not keep a customer's connection alive here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from refresher.errors import CannotDecrypt
from refresher.outbound.exchange import Outgoing
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Connection, Sealed, Secret
from refresher.rules.fillings import Stamp, tokens_named
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import Provider
from refresher.rules.requests import TokenRequest
from refresher.rules.revocations import build_revocation
from refresher.runtime import clients
from refresher.runtime.services import Services
from refresher.store import events, lookup
from refresher.store.standing import standing_of


class Revoked(StrEnum):
    """What became of the grant at the provider. RFC 7009 answers 200 for a dead token as well."""

    REVOKED = "revoked"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNSUPPORTED = "unsupported"
    NOTHING_TO_REVOKE = "nothing_to_revoke"


@dataclass(frozen=True, slots=True)
class Revocation:
    """The result, with the HTTP status if there was one, and a word or sentence of ours."""

    outcome: Revoked
    http_status: int | None = None
    reason: str | None = None


def revoke(services: Services, connection_id: UUID, organization_id: str | None) -> Revocation:
    """Asks the provider to end the connection's grant, and writes down what it said.

    The slots that were deleted with it are given back, too; what is returned is of the main token.
    """
    with services.database.transaction() as db:
        slots = lookup.deleted_slots(db, connection_id)
    for slot in slots:
        _revoke(services, slot, organization_id)
    return _revoke(services, connection_id, organization_id)


def _revoke(services: Services, connection_id: UUID, organization_id: str | None) -> Revocation:
    with services.database.transaction() as db:
        found = standing_of(db, connection_id)
    result = Revocation(Revoked.NOTHING_TO_REVOKE)
    if found and organization_id in {None, found.connection.organization_id}:
        result = _ask(services, found.connection, found.now)
    with services.database.transaction() as db:
        reason = result.reason or result.outcome.value
        event = events.Event(
            connection_id, "revocation", http_status=result.http_status, reason=reason
        )
        events.append(db, [event])
    return result


def _ask(services: Services, grant: Connection, now: datetime) -> Revocation:
    provider = services.catalogue.get(grant.provider)
    if provider is None or provider.revocation_url is None:
        return Revocation(Revoked.UNSUPPORTED, reason="the catalogue has no revocation_url")
    if grant.refresh_token is None and grant.access_token is None:
        return Revocation(Revoked.NOTHING_TO_REVOKE, reason="no token is stored")
    try:
        outgoing = _outgoing(services, provider, grant, now)
    except (CannotDecrypt, UnbuildableRequest) as error:
        return Revocation(Revoked.NOTHING_TO_REVOKE, reason=str(error))
    arriving = services.exchange.stream([outgoing])
    reply = next(reply for group in arriving for _, reply in group)
    if reply.status is None:
        return Revocation(Revoked.UNREACHABLE, reason=reply.failure)
    good = 200 <= reply.status < 300
    return Revocation(Revoked.REVOKED if good else Revoked.REFUSED, reply.status)


def _outgoing(
    services: Services, provider: Provider, grant: Connection, now: datetime
) -> Outgoing[UUID]:
    access, refresh = _tokens(services, provider, grant)
    stamp = Stamp(now.timestamp(), str(uuid4()))

    def build(client: ClientCredentials | None) -> TokenRequest:
        made = build_revocation(
            provider,
            client=client,
            access_token=access,
            refresh_token=refresh,
            host=grant.host,
            placeholders=grant.placeholders,
            draw=lambda: stamp,
        )
        assert made is not None  # it has a revocation_url
        return made

    within, app = services.settings.http_total_seconds, grant.app
    client = clients.opened(services.cipher, app) if app else None
    if app is None or client is None or client.previous_client_secret is None:
        return Outgoing(grant.id, build(client), within)
    other = clients.OtherSecret(services.known_secrets, app, provider, client, build)
    return Outgoing(grant.id, other.request, within, again=other)


def _tokens(
    services: Services, provider: Provider, grant: Connection
) -> tuple[Secret | None, Secret | None]:
    """Returns the access token and the refresh token, opened where they are needed."""
    named = tokens_named(
        provider.headers, provider.revocation_headers, provider.revocation_parameters
    )
    access, refresh = grant.access_token, grant.refresh_token
    given_back = provider.revocation_token
    if given_back == "refresh_token" and refresh and "access_token" not in named:
        access = None
    if given_back == "access_token" and "refresh_token" not in named:
        refresh = None

    def opened(sealed: Sealed | None, column: str) -> Secret | None:
        return services.cipher.open(sealed, grant.id, column) if sealed else None

    return opened(access, "access_token"), opened(refresh, "refresh_token")
