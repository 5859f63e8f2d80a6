"""The link with which the account of a broken connection is connected again, by one click.

Which link that is, decides `rules/ways_back.py`. Of a slot it is its main connection's, of a sibling
its root's, for the grant is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never
from uuid import UUID

from refresher.connections import connect, resume_links
from refresher.connections.connect import Order
from refresher.errors import NoSuchConnection
from refresher.rules.access import Actor
from refresher.rules.connect import Flow
from refresher.rules.connect_view import connecting
from refresher.rules.ways_back import ByPage, ByProgram, BySession, WayBack, way_back
from refresher.runtime.services import Services
from refresher.store import connect as sessions
from refresher.store import oauth_apps, recipients
from refresher.store.connect import Target
from refresher.store.session import Db

RESUME_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """Whose account it is, and by which link it is connected again."""

    target: Target
    way: WayBack


@dataclass(frozen=True, slots=True)
class ReconnectLink:
    """A link that was made, which is as good as a password: not in the `repr`.

    `expires_at` is None for a page that is not ours; `session_id` is that of a connect session.
    """

    way: WayBack
    url: str = field(repr=False)
    expires_at: datetime | None = None
    session_id: UUID | None = None
    is_path: bool = False
    """REFRESHER_PUBLIC_URL is not set, so whoever hands it on must put our address in front of it."""


def look(services: Services, connection_id: UUID, by: Actor) -> Reconnecting:
    """Returns what a link would be; nothing is made. Raises `NoSuchConnection`."""
    with services.database.reading() as db:
        target = sessions.target(db, connection_id, by.organization_id)
        if target is None or target.deleted:
            raise NoSuchConnection(f"no connection has the id {connection_id}")
        return Reconnecting(target, _way(services, db, target))


def make(
    services: Services, connection_id: UUID, by: Actor, *, scopes: Sequence[str] = ()
) -> ReconnectLink:
    """Makes the link; raises what `connect.make` and `make_link` raise."""
    found = look(services, connection_id, by)
    match found.way:
        case BySession():
            order = Order(connection_id=found.target.id, flow=Flow.LINK, scopes=tuple(scopes))
            made = connect.make(services, order, by)
            return ReconnectLink(found.way, made.url, made.session.expires_at, made.session.id)
        case ByPage(url):
            return ReconnectLink(found.way, url)
        case ByProgram():
            most = services.settings.quota_links
            link = resume_links.make_link(
                services, found.target.id, seconds=RESUME_SECONDS, by=by, most=most
            )
            whole = link.url or link.path
            return ReconnectLink(found.way, whole, link.expires_at, is_path=link.url is None)
        case _:
            assert_never(found.way)


def _way(services: Services, db: Db, target: Target) -> WayBack:
    organization = recipients.organization(db, target.organization_id, None)
    named = organization.reconnect_url if organization else None
    values = {
        "external_id": target.external_id,
        "connection_id": target.id,
        "provider": target.provider,
        "organization_id": target.organization_id,
    }
    return way_back(
        _why_not(services, db, target), (named, services.settings.reconnect_url), values
    )


def _why_not(services: Services, db: Db, target: Target) -> str | None:
    provider = services.catalogue.get(target.provider)
    if provider is None:
        return "The catalogue lacks its provider, or its entry is wrong."
    settings = services.settings
    app = oauth_apps.find(db, target.provider, target.app_name)
    return connecting(
        provider, settings.public_url, is_on=settings.connect, has_app=app is not None
    ).why_not
