"""Leaving for the provider: the next attempt of a session, with all that its callback must fit."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.connections.parties import party_within
from refresher.connections.rights import right_of
from refresher.connections.visit_values import Leave, LinkEnded, OtherBrowser, StartRefused
from refresher.errors import CannotDecrypt
from refresher.rules import redirects
from refresher.rules.authorize import (
    Asking,
    Party,
    asked_scopes,
    authorize_url,
    code_url,
    uses_nonce,
    uses_pkce,
)
from refresher.rules.connect import (
    ATTEMPT_SECONDS,
    SECRET_BYTES,
    Attempt,
    Kind,
    Outcome,
    Problem,
    Session,
    Trouble,
    cookie_name,
    hashed,
    is_of,
)
from refresher.rules.connect_steps import startable
from refresher.rules.connection import Secret
from refresher.rules.fillings import check_values
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import Provider
from refresher.runtime.services import Services
from refresher.store import connect, connect_attempts
from refresher.store.connect import Standing, Target
from refresher.store.connect_attempts import NewAttempt
from refresher.store.session import Db


def start(services: Services, link: str, *, host: str | None = None) -> Leave:
    """Makes the next attempt of a link's session; raises `LinkEnded` or `StartRefused`."""
    with services.database.transaction() as db:
        return _begin(services, db, of_link(db, link, lock=True), host)


def again(services: Services, session_id: UUID, cookies: Mapping[str, str]) -> Leave:
    """Makes the next attempt for the browser that made one before.

    Raises `OtherBrowser`, `LinkEnded` or `StartRefused`.
    """
    with services.database.transaction() as db:
        session = connect.locked(db, session_id)
        own = attempt_of(services, db, session_id, cookies)
        if session is None or own is None:
            raise OtherBrowser(OTHER)
        return _begin(services, db, session, own.host if session.host is None else None)


def of_link(db: Db, link: str, *, lock: bool = False) -> Session:
    """Returns the session of a link; raises `LinkEnded`."""
    session = connect.by_link(db, hashed(link), lock=lock)
    if session is None:
        raise LinkEnded(Trouble(Problem.EXPIRED, "no session has this link"))
    return session


def startable_of(services: Services, session: Session, stands: Standing) -> Provider:
    """Returns the entry; raises `LinkEnded` where no attempt may begin."""
    right = right_of(services, session, stands)
    trouble = startable(session, right, stands.now)
    if trouble is not None and trouble.code is Problem.APP_WRONG:
        raise StartRefused(trouble.code, trouble.sentence)
    if trouble is not None:
        raise LinkEnded(trouble, connected=session.outcome is Outcome.CONNECTED)
    return services.catalogue[session.provider]


def _begin(services: Services, db: Db, session: Session, host: str | None) -> Leave:
    stands = connect.standing(db, session)
    provider = startable_of(services, session, stands)
    if host is not None and not asks_host(provider, session):
        host = None  # a form of another's making: the host is not the browser's to choose
    target = stands.target if session.kind is Kind.RECONNECT else None
    place = host or session.host or provider.default_host
    slug = redirects.slug(provider, place)
    try:
        party = party_within(services, db, session, place)
        if host is not None:  # good for every request, not for those of the consent alone
            check_values(provider, host, session.placeholders, party.client.placeholders)
        asking = _asking(services, session, party, target, slug)
        url, goes_to = authorize_url(party, asking), code_url(party)
    except UnbuildableRequest as error:
        raise _refused(provider, session, host, error) from error
    except CannotDecrypt as error:
        raise StartRefused(Problem.APP_WRONG, str(error)) from error
    cookie = secrets.token_urlsafe(SECRET_BYTES)
    attempt = _attempt(services, session, party, asking, slug, goes_to, cookie)
    connect_attempts.begin(db, attempt)
    connect.note(db, session.maker, "connect_session_used", session)
    name = cookie_name(attempt.state_hash, secure=secure(services))
    title = provider.known_as
    return Leave(url, name, cookie, int(ATTEMPT_SECONDS), provider.name, title)


def _asking(
    services: Services, session: Session, party: Party, target: Target | None, slug: str
) -> Asking:
    state, verifier, nonce = (Secret(secrets.token_urlsafe(SECRET_BYTES)) for _ in range(3))
    public_url = services.settings.public_url or ""
    last = session.trouble
    return Asking(
        redirect_uri=redirects.redirect_uri(public_url, slug, party.client),
        state=state,
        verifier=verifier,
        nonce=nonce,
        scopes=asked_scopes(party.provider, session.scopes, target.scopes if target else ()),
        parameters=session.parameters,
        hint=session.account_hint or (target.account_label if target else None),
        other_account=last is not None and last.code is Problem.WRONG_ACCOUNT,
    )


def _attempt(
    services: Services,
    session: Session,
    party: Party,
    asking: Asking,
    slug: str,
    goes_to: str,
    cookie: str,
) -> NewAttempt:
    id_ = uuid7()
    provider = party.provider
    has_nonce = uses_nonce(provider, asking.scopes)
    return NewAttempt(
        id=id_,
        state_hash=hashed(asking.state.reveal()),
        session_id=session.id,
        cookie_hash=hashed(cookie),
        slug=slug,
        redirect_uri=asking.redirect_uri,
        code_url=goes_to,
        issuer=_issuer(provider),
        host=party.host,
        scopes=asking.scopes,
        verifier=services.cipher.seal(asking.verifier, id_, "verifier")
        if uses_pkce(provider)
        else None,
        nonce_hash=hashed(asking.nonce.reveal()) if has_nonce else None,
    )


def _issuer(provider: Provider) -> str | None:
    """Returns what `iss` of a callback must be; None where that depends on who signs in."""
    told = (provider.connect and provider.connect.issuer) or provider.issuer
    return told if told and "{" not in told else None


def _refused(
    provider: Provider, session: Session, host: str | None, error: UnbuildableRequest
) -> StartRefused:
    asked = asks_host(provider, session) and (host is not None or not provider.default_host)
    return StartRefused(Problem.WRONG_HOST if asked else Problem.APP_WRONG, str(error))


def asks_host(provider: Provider, session: Session) -> bool:
    """Whether the page asks for the host: whoever made the session did not name it."""
    return provider.connect is not None and provider.connect.asks_host and session.host is None


def attempt_of(
    services: Services, db: Db, session_id: UUID, cookies: Mapping[str, str]
) -> Attempt | None:
    """Returns the newest attempt that this browser made, None where it made none."""
    for attempt in connect_attempts.of(db, session_id):
        name = cookie_name(attempt.state_hash, secure=secure(services))
        if is_of(cookies.get(name, ""), attempt.cookie_hash):
            return attempt
    return None


def secure(services: Services) -> bool:
    """Whether browsers reach us by https, so that a cookie may say so."""
    return (services.settings.public_url or "").startswith("https://")


OTHER = "this was begun in another browser"
