"""The table `audit`: who did what to which connection: a key by its id, a person as `cli:ann`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from refresher.rules.access import Actor
from refresher.store.binary import bigints, texts, uuids
from refresher.store.session import Db, conditions, many, run

MOST_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action of one key. `count` is how often, where reads are written together."""

    key_id: str
    action: str
    organization_id: str | None = None
    connection_id: UUID | None = None
    subject: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class PastAuditEntry:
    """An entry as it is read back."""

    id: int
    occurred_at: datetime
    key_id: str
    action: str
    organization_id: str | None
    connection_id: UUID | None
    subject: str | None
    count: int


_APPEND = """
    insert into audit (key_id, action, organization_id, connection_id, subject, count)
    select * from unnest(cast(:key_ids as text[]), cast(:actions as text[]),
        cast(:organization_ids as text[]), cast(:connection_ids as uuid[]),
        cast(:subjects as text[]), cast(:counts as bigint[]))
    """


def append(db: Db, entries: Sequence[AuditEntry]) -> None:
    """Writes entries, stamped with the transaction's time."""
    if not entries:
        return
    run(
        db,
        _APPEND,
        key_ids=texts(d.key_id for d in entries),
        actions=texts(d.action for d in entries),
        organization_ids=texts(d.organization_id for d in entries),
        connection_ids=uuids(d.connection_id for d in entries),
        subjects=texts(d.subject for d in entries),
        counts=bigints(d.count for d in entries),
    )


def note(
    db: Db, by: Actor, action: str, organization_id: str | None = None, subject: str | None = None
) -> None:
    """Writes down who did what to something that is no connection, with the change itself."""
    append(db, [AuditEntry(by.id, action, organization_id, subject=by.about(subject))])


def about(db: Db, by: Actor, action: str, connection_id: UUID) -> None:
    """Writes down who did what to a connection, in the name of its organization."""
    sql = (
        "insert into audit (key_id, action, organization_id, connection_id, subject) values "
        "(:by, :action, (select organization_id from connection where id = :id), :id, :subject)"
    )
    run(db, sql, by=by.id, action=action, id=connection_id, subject=by.about())


def recent(
    db: Db,
    *,
    organization_id: str | None = None,
    key_id: str | None = None,
    connection_id: UUID | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[PastAuditEntry]:
    """Returns the newest entries, the newest first, those before `before` if given.

    Of one organization, of one key or about one connection: an index serves each of them alone.
    """
    given = {"organization_id": organization_id, "key_id": key_id, "connection_id": connection_id}
    wanted = {f"{name} = :{name}": value for name, value in given.items()}
    where = conditions({**wanted, "id < :before": before})
    columns = ", ".join(f.name for f in fields(PastAuditEntry))
    sql = f"select {columns} from audit where {where} order by id desc limit :limit"  # noqa: S608
    return many(db, PastAuditEntry, sql, **given, before=before, limit=limit)


@dataclass(frozen=True, slots=True)
class Looked:
    """A page of entries. `further`: before this id nobody has looked yet; None: that was all."""

    entries: list[PastAuditEntry]
    further: int | None


def look(
    db: Db,
    *,
    organization_id: str | None,
    key_id: str | None,
    connection_id: UUID | None,
    before: int | None,
    limit: int,
    by_organization: bool = False,
) -> Looked:
    """Returns entries as `recent` does, from a bounded look.

    Where no index has all that is asked for, the newest 10,000 about the connection, of the key or of
    the organization are looked at: of the organization first where `by_organization`, so that nothing
    is read, or can be told, of others.
    """
    given = {"connection_id": connection_id, "key_id": key_id, "organization_id": organization_id}
    asked = [name for name, value in given.items() if value is not None]
    if by_organization:
        asked.reverse()
    walk = asked[0] if asked else None
    where = conditions({f"{walk} = :{walk}": walk, "id < :before": before})
    newest = f"select * from audit where {where} order by id desc limit :most"  # noqa: S608
    fits = conditions({f"{name} = :{name}": True for name in asked})
    columns = ", ".join(f.name for f in fields(PastAuditEntry))
    sql = f"select {columns} from ({newest}) a where {fits} order by id desc limit :limit"  # noqa: S608
    values = {**given, "before": before, "most": MOST_LOOKED_AT if asked[1:] else limit + 1}
    found = many(db, PastAuditEntry, sql, **values, limit=limit + 1)
    if len(found) > limit:
        return Looked(found[:limit], found[limit - 1].id)
    if not asked[1:]:
        return Looked(found, None)
    looked, last = run(db, f"select count(*), min(id) from ({newest}) a", **values).one()  # noqa: S608
    return Looked(found, last if looked == MOST_LOOKED_AT else None)
