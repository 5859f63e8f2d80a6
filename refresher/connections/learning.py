"""Learns whose account the connections are of that were handed in, from the providers themselves.

A connection that no consent made has no account, and so cannot be told from another's. While its token
lives, the provider can be asked, once. Nothing but the account is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from refresher.errors import CannotDecrypt
from refresher.outbound.exchange import Outgoing
from refresher.rules import bodies
from refresher.rules.access import Actor
from refresher.rules.accounts import Account, Unasked, account_in
from refresher.rules.authorize import Party, userinfo_request
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Reply
from refresher.rules.consent import Place
from refresher.rules.kept_fields import as_answer
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import Provider
from refresher.runtime import clients
from refresher.runtime.services import Services
from refresher.store import audit, oauth_apps, promotion
from refresher.store.audit import AuditEntry
from refresher.store.promotion import Unknown
from refresher.store.session import Db

AT_A_TIME = 50
WAIT_SECONDS = 60.0
"""How long a question may wait for its turn among refreshes."""


@dataclass(frozen=True, slots=True)
class Learned:
    """How many accounts were learned so far, and of how many connections nobody told."""

    learned: int = 0
    untold: int = 0


def learn_accounts(
    services: Services,
    by: Actor,
    *,
    organization_id: str | None = None,
    providers: Sequence[str] | None = None,
) -> Iterator[Learned]:
    """Asks for the accounts of all connections that have none; yields the counts, now and then.

    Only where an entry says how an account is told, and where a token has a minute to live.
    """
    names = services.catalogue.names if providers is None else providers
    known = {p.name: p for p in services.catalogue.those(names) if p.connect is not None}
    so_far, after = Learned(), None
    while found := _next(services, known, organization_id, after):
        learned = {one.id: account for one, account in _asked(services, known, found)}
        with services.database.transaction() as db:
            count = promotion.learn(db, learned)
            _note(db, by, [one for one in found if one.id in learned])
        so_far = Learned(so_far.learned + count, so_far.untold + len(found) - count)
        after = found[-1].id
        yield so_far


def _next(
    services: Services, known: dict[str, Provider], organization_id: str | None, after: UUID | None
) -> list[Unknown]:
    with services.database.reading() as db:
        return promotion.without_account(
            db, sorted(known), organization_id, after=after, limit=AT_A_TIME
        )


def _asked(
    services: Services, known: dict[str, Provider], found: Sequence[Unknown]
) -> Iterator[tuple[Unknown, Account]]:
    """Yields what is stored of accounts, and then what providers say."""
    asking: list[Outgoing[Unknown]] = []
    for one in found:
        provider = known[one.provider]
        account = account_in(provider, _stored(one), one.host)
        if isinstance(account, Account):
            yield one, account
        elif account is Unasked.USERINFO or _tells_claims(provider):
            asking.extend(_question(services, provider, one))
    for group in services.exchange.stream(asking):
        for one, reply in group:
            account = _in_reply(known[one.provider], one, reply)
            if account is not None:
                yield one, account


def _stored(one: Unknown) -> dict[Place, object]:
    """Returns where an account may stand in what was kept of an answer or a callback."""
    kept = as_answer(one.kept_fields or {})
    return {"answer": kept, "callback": kept}


def _tells_claims(provider: Provider) -> bool:
    """Whether userinfo tells the subject of the id_token, which nobody kept (OpenID Connect 5.3.2)."""
    assert provider.connect is not None
    identity = provider.connect.identity
    subject = tuple(identity.paths) == (("sub",),) and "id_token" in identity.found_in
    return subject and bool(identity.url or provider.identity_url)


def _question(services: Services, provider: Provider, one: Unknown) -> list[Outgoing[Unknown]]:
    try:
        party = Party(provider, _client(services, one), one.host, one.placeholders or {})
        token = services.cipher.open(one.access_token, one.id, "access_token")
        request = userinfo_request(party, token)
    except (UnbuildableRequest, CannotDecrypt):
        return []
    return [Outgoing(one, request, WAIT_SECONDS, one.organization_id)]


def _client(services: Services, one: Unknown) -> ClientCredentials:
    """Returns the app, or one that is nobody's: few requests name it, and an import may have none."""
    with services.database.reading() as db:
        app = oauth_apps.find(db, one.provider, one.app_name)
    return clients.opened(services.cipher, app) if app else ClientCredentials("", None)


def _in_reply(provider: Provider, one: Unknown, reply: Reply) -> Account | None:
    if reply.failure is not None or not 200 <= (reply.status or 0) < 300:
        return None
    body = bodies.read(reply.body, reply.headers)
    place: Place = "id_token" if _tells_claims(provider) else "userinfo"
    found = account_in(provider, {**_stored(one), "userinfo": {}, place: body}, one.host)
    return found if isinstance(found, Account) else None


def _note(db: Db, by: Actor, learned: Sequence[Unknown]) -> None:
    """Writes down by whom, a line for each organization."""
    counts = Counter(one.organization_id for one in learned)
    entries = [AuditEntry(by.id, "accounts_learned", whose, count=n) for whose, n in counts.items()]
    audit.append(db, entries)
