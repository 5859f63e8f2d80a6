"""Takes connections in: judged, sealed, stored and scheduled, in chunks of one transaction each.

What a field means is in `rules/registration.py`; the upsert is in `store/registration.py`. Whoever
hands one over (command line, API, SDK) goes through `take`: a reconnect is everywhere the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from refresher.catalogue.entries import DEFAULT_APP
from refresher.connections import beginnings
from refresher.errors import InvalidConnection, UnknownProvider
from refresher.rules import kept_fields
from refresher.rules.access import Actor
from refresher.rules.connection import Sealed, Secret
from refresher.rules.notices import end_is_news
from refresher.rules.providers import Provider
from refresher.rules.registering import Arrival, Existing, Ruling, judge
from refresher.rules.registration import NewConnection, answered
from refresher.rules.restoring import counted_from
from refresher.rules.slot_intake import at_its_place
from refresher.rules.slots import names, slot_id
from refresher.runtime.services import Services
from refresher.store import audit, registration, updates
from refresher.store import oauth_apps as apps
from refresher.store.audit import AuditEntry
from refresher.store.quotas import Limited, Quota
from refresher.store.registration import Prepared
from refresher.store.session import Db, retrying

AHEAD_SECONDS = 1.0
"""As long, what was judged ahead holds: lives were counted by the clock of then."""


@dataclass(slots=True)
class Registered:
    """What became of a chunk; `rejected` maps a position in it to the reason.

    `slots` are tokens beside the main ones; they are no connections of their own to anybody.
    `unchanged` is for an export alone, of which a line may say what is so already.
    """

    created: int = 0
    reconnected: int = 0
    updated: int = 0
    slots: int = 0
    rejected: dict[int, str] = field(default_factory=dict)
    unchanged: int = 0


@dataclass(slots=True)
class Known:
    """What the database knew before a chunk; `apps` with the placeholders they have values for."""

    now: datetime
    apps: Mapping[tuple[str, str], frozenset[str]]
    before: Mapping[UUID, Existing]
    roots: set[UUID]


def take(
    services: Services,
    chunk: Sequence[NewConnection],
    by: Actor | None = None,
    *,
    most: int = 0,
    ahead: Ahead | None = None,
) -> Registered:
    """Stores a chunk in one transaction. A connection that is wrong is rejected alone.

    `by` whom it was done is written down. `ahead` is what was judged of it before (`judge_ahead`).
    Raises `QuotaReached` where the organization (one for the whole chunk) would have more than `most`
    connections; 0 is no limit.
    """
    return retrying(lambda: _take(services, chunk, by, most, ahead))


def _take(
    services: Services,
    chunk: Sequence[NewConnection],
    by: Actor | None,
    most: int,
    ahead: Ahead | None,
) -> Registered:
    quota = Quota(Limited.CONNECTIONS, chunk[0].organization_id if chunk else None, most)
    with services.database.transaction() as db:
        room = quota.room(db)
        taken = take_within(services, db, chunk, ahead)
        quota.keep(room, taken.created)
        if room >= 0 > quota.room(db):  # one that was deleted is back
            raise quota.reached()
        if by is not None:
            audit.append(db, audit_entries(by, chunk, taken))
    return taken


def audit_entries(by: Actor, chunk: Sequence[NewConnection], taken: Registered) -> list[AuditEntry]:
    """Returns a line for one connection, or one for each organization of many."""
    stored = [new for position, new in enumerate(chunk) if position not in taken.rejected]
    if len(chunk) == 1:
        return [AuditEntry(by.id, "registered", new.organization_id, new.id) for new in stored]
    counts = Counter(new.organization_id for new in stored)
    return [AuditEntry(by.id, "imported", whose, count=count) for whose, count in counts.items()]


def take_within(
    services: Services, db: Db, chunk: Sequence[NewConnection], ahead: Ahead | None = None
) -> Registered:
    """Does the same in a transaction of the caller's."""
    taken = Registered()
    rows: dict[UUID, Prepared] = {}
    told: list[Prepared] = []
    known = known_of(services, db, chunk)
    if ahead is None or not ahead.holds(known):
        ahead = _judged_by(services, chunk, known)
    taken.rejected |= ahead.rejected
    for kind, row in ahead.rows:
        if kind is Arrival.UPDATE:
            told.append(row)
        else:
            rows[row.id] = row
    if rows:
        taken.created, taken.reconnected, taken.slots = registration.upsert(db, [*rows.values()])
    if told:
        taken.updated = updates.update(db, told)
    return taken


@dataclass(frozen=True, slots=True)
class Ahead:
    """A chunk that was judged and sealed before its transaction, and what was known then."""

    known: Known
    roots: Collection[UUID]
    rows: Sequence[tuple[Arrival, Prepared]]
    rejected: Mapping[int, str]

    def holds(self, now: Known) -> bool:
        """Whether it would be judged alike by what is known now, with its rows locked."""
        before = self.known
        return 0 <= (now.now - before.now).total_seconds() <= AHEAD_SECONDS and (
            now.apps,
            now.before,
            now.roots,
        ) == (before.apps, before.before, self.roots)


def judge_ahead(services: Services, chunk: Sequence[NewConnection]) -> Ahead:
    """Judges a chunk by what is known now; it is looked at again when it is stored (`take`)."""
    with services.database.transaction() as db:
        known = known_of(services, db, chunk, held=False)
    return _judged_by(services, chunk, known)


def _judged_by(services: Services, chunk: Sequence[NewConnection], known: Known) -> Ahead:
    roots, rejected = frozenset(known.roots), dict[int, str]()
    rows = list(judged(services, chunk, known, rejected))
    return Ahead(known, roots, rows, rejected)


def known_of(
    services: Services, db: Db, chunk: Sequence[NewConnection], *, held: bool = True
) -> Known:
    """Returns what the database knows of a chunk; `held`, its rows are ours until the end."""
    ids = [id_ for new in chunk for id_ in _ids(services, new)]
    return Known(
        now=registration.database_now(db),
        apps=apps.brought(db),
        before=registration.stored(db, ids, held=held),
        roots=registration.roots_known(db, [c.root_id for c in chunk if c.root_id], held=held),
    )


def judged(
    services: Services, chunk: Sequence[NewConnection], known: Known, rejected: dict[int, str]
) -> Iterator[tuple[Arrival, Prepared]]:
    """Yields what is to be stored of a chunk, and how; `rejected` gets the reasons of the others."""
    # Roots first, so that a sibling knows whether the root beside it was good.
    for position, new in sorted(enumerate(chunk), key=lambda pair: pair[1].root_id is not None):
        try:
            _check_root(new, known.roots)
            yield from prepare(services, new, known)
            known.roots |= {new.id} if new.root_id is None else set()
        except (InvalidConnection, UnknownProvider) as error:
            rejected[position] = str(error)


def _ids(services: Services, new: NewConnection) -> list[UUID]:
    """Returns the ids of all that a line may change: the connection's, and those of its slots."""
    provider = services.catalogue.get(new.provider)
    slots = names(provider, "apart") if provider and provider.slots else []
    return [new.id, *(slot_id(new.id, name) for name in slots)]


def prepare(
    services: Services, given: NewConnection, known: Known
) -> list[tuple[Arrival, Prepared]]:
    """Returns one connection ready to store, and then its slots.

    Raises `InvalidConnection` or `UnknownProvider`: then nothing of it is stored.
    """
    provider = services.catalogue[given.provider]
    new = answered(given, provider, known.now.timestamp())
    there = known.before.get(new.id)
    parts = [new, *(at_its_place(slot, there) for slot in new.slots)]
    return [_ready(services, provider, counted_from(p, known.now), known) for p in parts]


def _ready(
    services: Services, provider: Provider, new: NewConnection, known: Known
) -> tuple[Arrival, Prepared]:
    before = known.before.get(new.id)
    app_name = new.app or (before.app_name if before else DEFAULT_APP)
    verdict = judge(new, provider, before, known.apps.get((new.provider, app_name), ()))
    if verdict.kind is Arrival.UPDATE:
        return Arrival.UPDATE, _prepared(services, new, {})
    left, life = beginnings.life(new, provider, known.now)
    due, reason = beginnings.schedule(services, provider, new, left, life, known)
    beginning = {
        "expires_in_seconds": life if left is None else left,
        "lifetime_seconds": life,
        "due_in_seconds": due,
        "park_reason": reason,
        "access_is_old": _is_old(new, verdict),
        "end_is_fixed": new.grant_ends_in_seconds is not None
        or end_is_news(
            slides=provider.refresh_token_clock == "sliding",
            left_before_seconds=None,
            left_after_seconds=new.refresh_token_expires_in_seconds,
        ),
    }
    return verdict.kind, _prepared(services, new, beginning)


def _is_old(new: NewConnection, verdict: Ruling) -> bool:
    """Whether the access token that stays stored belongs to another place than the grant now does."""
    return verdict.moved is not None and new.access_token is None


def _prepared(services: Services, new: NewConnection, beginning: Mapping[str, Any]) -> Prepared:
    """Returns what was told, its secrets sealed, and how it begins."""

    def sealed(secret: Secret | None, column: str) -> Sealed | None:
        return services.cipher.seal(secret, new.id, column) if secret else None

    kept = new.kept or {}
    return Prepared(
        id=new.id,
        organization_id=new.organization_id,
        provider=new.provider,
        external_id=new.external_id,
        name=new.name,
        app_name=new.app,
        root_id=new.root_id,
        host=new.host,
        placeholders=new.placeholders,
        access_token=sealed(new.access_token, "access_token"),
        refresh_token=sealed(new.refresh_token, "refresh_token"),
        expires_at=new.expires_at if new.access_token else None,
        refresh_token_expires_in_seconds=new.refresh_token_expires_in_seconds,
        grant_ends_in_seconds=new.grant_ends_in_seconds,
        scopes=new.scopes,
        granted_scopes=new.granted_scopes,
        kept_fields=kept_fields.plain_text(kept),
        kept_secrets=sealed(kept_fields.secret_text(kept), "kept_secrets"),
        in_between_steps=new.in_between_steps,
        metadata=new.metadata,
        slot=new.slot,
        slot_of=new.main_id if new.slot else None,
        because=new.because,
        restored=new.restored,
        **beginning,
    )


def _check_root(new: NewConnection, roots: set[UUID]) -> None:
    if new.root_id is not None and new.root_id not in roots:
        raise InvalidConnection(
            f'root_external_id "{new.root_external_id}" is no connection of organization '
            f'"{new.organization_id}" at {new.provider}: import the root first'
        )
