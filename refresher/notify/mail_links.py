"""The way back in a mail: a connect session for each broken connection that it tells of.

Only where nobody named a page of their own, people can connect there, and the account is known: else
whoever opens the mail could put another one in its place (C20 of docs/consents.md). The link is made of
our key and the mail's id: a mail that goes again has the same one, and no row tells it.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.notify.mail_words import WORDS
from refresher.rules import redirects
from refresher.rules.access import Actor
from refresher.rules.connect import PATH, Finish, Flow, Kind, Outcome, Session, hashed
from refresher.rules.notices import Kind as News
from refresher.runtime.services import Services
from refresher.settings import Settings
from refresher.store import connect, mail_entries, oauth_apps
from refresher.store.connect import NewSession, Target
from refresher.store.mails import LeasedMail
from refresher.store.quotas import Limited, Quota
from refresher.store.session import Db

PURPOSE = b"refresher connect link in a mail"
LINK_SECONDS = 7 * 86_400.0
AGAIN_SECONDS = 600.0
"""How long after a mail its link may be asked for anew."""
MOST_LINKS = 100
"""Of one mail; a digest tells no more than 50 of a kind one by one."""
_OF_MAIL = re.compile(r"mail:([0-9a-f-]{36})")


def are_made(settings: Settings) -> bool:
    """Whether mails may have links of ours at all."""
    wanted = settings.connect and settings.connect_in_mails
    return wanted and redirects.public_url_fault(settings.public_url) is None


def links(services: Services, db: Db, mail: LeasedMail) -> dict[UUID, str]:
    """Returns the way back of each broken connection that a mail tells of, and that can have one."""
    if not are_made(services.settings):
        return {}
    known = {kind.value for kind in News if WORDS[kind].action}
    told = dict.fromkeys(e.connection_id for e in mail.entries if e.kind in known)
    broken = [id_ for id_ in told if id_ is not None][:MOST_LINKS]
    found = {id_: _link(services, db, mail, id_) for id_ in broken}
    base = services.settings.public_url or ""
    made = {id_: link for id_, link in found.items() if link is not None}
    return {id_: redirects.address(base, f"{PATH}{link}") for id_, link in made.items()}


def _link(services: Services, db: Db, mail: LeasedMail, connection_id: UUID) -> str | None:
    proofs = services.cipher.proofs(PURPOSE, mail.id.bytes + connection_id.bytes)
    candidates = [urlsafe_b64encode(proof).rstrip(b"=").decode() for proof in proofs]
    for link in candidates:
        if connect.by_link(db, hashed(link)) is not None:
            return link
    target = connect.target(db, connection_id)
    if target is None or not _can_connect(services, db, target):
        return None
    quota = Quota(Limited.SESSIONS, target.organization_id, services.settings.quota_sessions)
    if quota.room(db) < 1:
        return None
    _begin(db, mail, target, candidates[0])
    return candidates[0]


def _can_connect(services: Services, db: Db, target: Target) -> bool:
    provider = services.catalogue.get(target.provider)
    return (
        not (target.deleted or target.disabled)
        and target.account is not None
        and provider is not None
        and provider.connect is not None
        and oauth_apps.find(db, target.provider, target.app_name) is not None
    )


def _begin(db: Db, mail: LeasedMail, target: Target, link: str) -> None:
    by = Actor(f"mail:{mail.id}", target.organization_id)
    new = NewSession(
        id=uuid7(),
        link_hash=hashed(link),
        kind=Kind.RECONNECT,
        flow=Flow.LINK,
        finish=Finish.PAGE,
        organization_id=target.organization_id,
        provider=target.provider,
        app_name=target.app_name,
        made_by=by.told,
        seconds=LINK_SECONDS,
        external_id=target.external_id,
        connection_id=target.id,
        host=target.host,
        placeholders=target.placeholders,
    )
    session = connect.insert(db, new)
    connect.note(db, by.id, "connect_session_made", session)


def may_send_again(services: Services, link: str) -> bool:
    """Whether an ended link came in a mail to somebody who can be sent a new one."""
    with services.database.reading() as db:
        session = connect.by_link(db, hashed(link))
        known = _told_in(session) if session else None
        return known is not None and mail_entries.is_told(db, *known)


def send_again(services: Services, link: str) -> bool:
    """Has what told of a connection be told again, with a new link, to the address it came to.

    Never to another one, and once in ten minutes; False where it is not done.
    """
    with services.database.transaction() as db:
        session = connect.by_link(db, hashed(link), lock=True)
        known = _told_in(session) if session else None
        if known is None:
            return False
        return mail_entries.tell_again(db, *known, uuid7(), after_seconds=AGAIN_SECONDS)


def _told_in(session: Session) -> tuple[UUID, UUID] | None:
    """Returns the mail that brought a session's link, and what it was about, if it has ended."""
    found = _OF_MAIL.fullmatch(session.maker)
    if found is None or session.connection_id is None or session.outcome is Outcome.CONNECTED:
        return None
    return UUID(found[1]), session.connection_id
