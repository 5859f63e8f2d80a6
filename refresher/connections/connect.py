"""Connect sessions, for who has a right to them: made, found, listed, cancelled, completed.

What the person's browser does with one is in `visits.py`. Each deed is one transaction with its row of
the audit.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from uuid import UUID

from refresher.connections import arrival
from refresher.connections.connect_orders import Order, aimed, new_session, whose
from refresher.errors import ConnectRefused, NoSuchConnection, NoSuchSession
from refresher.rules import redirects
from refresher.rules.access import Actor
from refresher.rules.connect import (
    PATH,
    SECRET_BYTES,
    Outcome,
    Session,
    hashed,
)
from refresher.rules.connect_steps import unconfirmed
from refresher.rules.connection import Secret, connection_id
from refresher.rules.fillings import check_values
from refresher.rules.placeholders import HOST, UnbuildableRequest
from refresher.rules.providers import Provider
from refresher.runtime import clients
from refresher.runtime.services import Services
from refresher.store import connect, connect_steps, oauth_apps
from refresher.store.connect import NewSession, SessionFilter, Target
from refresher.store.quotas import Limited, Quota
from refresher.store.session import Db, retrying

__all__ = ["ConnectRefused", "Made", "NoSuchSession", "Order", "SessionFilter"]


@dataclass(frozen=True, slots=True)
class Made:
    """A new session and its URL, which is as good as a password until it ends: not in the `repr`."""

    session: Session
    link: Secret
    url: str = field(repr=False)


def make(services: Services, order: Order, by: Actor) -> Made:
    """Returns a session with its URL.

    Raises `ConnectRefused`, `UnknownProvider`, `NoSuchConnection`, or `QuotaReached` where the
    organization has REFRESHER_QUOTA_SESSIONS open ones.
    """
    _check_able(services)
    link = secrets.token_urlsafe(SECRET_BYTES)
    with services.database.transaction() as db:
        target = _target(db, order, by)
        organization_id, name = whose(order, target, by)
        provider = services.catalogue[name]
        order = replace(order, organization_id=organization_id)
        new = aimed(new_session(services, db, order, provider, by), order, target, provider)
        new = _placed(services, db, replace(new, link_hash=hashed(link)), provider)
        quota = Quota(Limited.SESSIONS, organization_id, services.settings.quota_sessions)
        quota.keep(quota.room(db))
        session = connect.insert(db, new)
        connect.note(db, by.id, "connect_session_made", session)
    url = redirects.address(services.settings.public_url or "", f"{PATH}{link}")
    return Made(session, Secret(link), url)


def _check_able(services: Services) -> None:
    settings = services.settings
    if not settings.connect:
        raise ConnectRefused("connect_disabled", "REFRESHER_CONNECT is false: nobody connects here")
    if fault := redirects.public_url_fault(settings.public_url):
        raise ConnectRefused("public_url_missing", fault)


def _target(db: Db, order: Order, by: Actor) -> Target | None:
    """Returns the connection that there is, as the root of its grant; None for a new one."""
    if order.connection_id is not None:
        found = connect.target(db, order.connection_id, by.organization_id)
        if found is None or found.deleted:
            raise NoSuchConnection(f"no connection has the id {order.connection_id}")
        if order.organization_id not in {None, found.organization_id}:
            raise NoSuchConnection(f"no connection has the id {order.connection_id}")
        return found
    if order.provider is None or order.external_id is None:
        return None
    organization = order.organization_id or by.organization_id or ""
    id_ = connection_id(organization, order.provider, order.external_id)
    found = connect.target(db, id_, organization)
    return None if found is None or found.deleted else found


def _placed(services: Services, db: Db, new: NewSession, provider: Provider) -> NewSession:
    """Returns it with what we know ourselves of its place: a refresh may name the redirect URI again.

    Refuses what no attempt could begin with: app, host, placeholders, redirect URI.
    """
    app = oauth_apps.find(db, new.provider, new.app_name)
    if app is None:
        raise ConnectRefused(
            "app_missing",
            f"no app {new.provider}/{new.app_name} is stored: `refresher apps set {new.provider}`",
        )
    client = clients.opened(services.cipher, app)
    slug = redirects.slug(provider, new.host)
    uri = redirects.redirect_uri(services.settings.public_url or "", slug, client)
    if fault := redirects.fault(provider, uri):
        raise ConnectRefused("redirect_uri_refused", fault)
    if redirects.OWN in provider.placeholders and redirects.OWN not in client.placeholders:
        new = replace(new, placeholders={redirects.OWN: uri, **new.placeholders})
    asks = provider.connect is not None and provider.connect.asks_host and new.host is None
    try:
        brought = {*client.placeholders, *((HOST,) if asks else ())}
        check_values(provider, new.host, new.placeholders, brought)
    except UnbuildableRequest as error:
        raise ConnectRefused("invalid_body", str(error)) from error
    return new


def find(services: Services, session_id: UUID, by: Actor) -> Session:
    """Returns a session that this actor may know; raises `NoSuchSession`."""
    with services.database.reading() as db:
        return _known(connect.find(db, session_id, by.organization_id), session_id)


def listed(
    services: Services,
    chosen: SessionFilter,
    by: Actor,
    *,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Session]:
    """Returns sessions, the newest first, older than `before`."""
    own = replace(chosen, organization_id=by.organization_id or chosen.organization_id)
    with services.database.reading() as db:
        return connect.listed(db, own, before=before, limit=limit)


def cancel(services: Services, session_id: UUID, by: Actor) -> Session:
    """Ends a session, whatever it is at; one that has ended stays as it ended.

    Raises `NoSuchSession`.
    """

    def work() -> Session:
        with services.database.transaction() as db:
            session = _known(connect.locked(db, session_id, by.organization_id), session_id)
            if connect_steps.end(db, session_id, Outcome.CANCELLED):
                connect.note(db, by.id, "connect_session_cancelled", session)
            return _known(connect.find(db, session_id), session_id)

    return retrying(work)


def complete(services: Services, session_id: UUID, code: str, verifier: str, by: Actor) -> Session:
    """Takes the application's word that its own user came back, once (C9); returns the session.

    Raises `NoSuchSession`, or `ConnectRefused` where code or verifier are not the right ones.
    """
    with services.database.transaction() as db:
        session = _known(connect.locked(db, session_id, by.organization_id), session_id)
        stands = connect.standing(db, session)
        if why := unconfirmed(session, code, verifier, stands.now):
            raise ConnectRefused("not_confirmed", f"the session is not confirmed: {why}")
        connect_steps.confirm(db, session_id)
        connect.note(db, by.id, "connect_session_completed", session)
    arrival.advance(services, session_id)
    return find(services, session_id, by)


def _known(found: Session | None, session_id: UUID) -> Session:
    if found is None:
        raise NoSuchSession(f"no connect session has the id {session_id}")
    return found
