"""Reads what is served to who wants a token: one statement by primary key, and no lock.

A sibling resolves to its root in the same statement. The schedule row and the last event that tells of
an attempt are read only when the token alone does not decide; then in one snapshot with it, so
that a claim which compares the lease token knows that the token has not changed since.

`Lane` is a session of an event loop's own, for reads that come by the thousand a second: through a
thread each would change threads twice and wait for Python's lock each time, and under load that takes
ten times as long as Postgres does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from refresher.rules.connection import Sealed
from refresher.rules.history import FAILURES, FORGETTING, SUCCESSES
from refresher.rules.serving import DueRow, Stored
from refresher.store import binary
from refresher.store.binary import texts, uuids
from refresher.store.db import Db
from refresher.store.refusals import as_told
from refresher.store.session import Database, run
from refresher.store.words import BEGUN, STATE

Wanted = tuple[UUID, str | None]
"""A connection's id, and the organization that it is looked for in; None looks in all."""
_KINDS = sorted(FAILURES | FORGETTING | SUCCESSES)
_TOKEN = """
    select c.id, r.id, c.organization_id, c.deleted_at is not null or r.deleted_at is not null,
        r.access_token, r.expires_at, extract(epoch from r.expires_at - refresher_now())::float8,
        r.lifetime_seconds, r.status, coalesce(r.granted_scopes, r.scopes), r.credential_version,
        r.kept_fields, r.kept_secrets, r.provider
"""
_WITH_ROW = f""",
        {STATE},
        coalesce(s.lease_token, 0), s.parked_reason, s.postponed_by,
        extract(epoch from s.due_at - refresher_now())::float8, e.kind, e.reason,
        coalesce(extract(epoch from refresher_now() - e.occurred_at), 0)::float8,
        r.provider, coalesce({BEGUN}, false),
        (select extract(epoch from max(x.exchange_until) - refresher_now())::float8
         from connect_session x where x.connection_id = coalesce(r.slot_of, r.id)
           and x.ended_at is null and x.exchange_until > refresher_now())
"""  # noqa: S608  our own words
_FROM = " from connection c join connection r on r.id = coalesce(c.root_id, c.id) "
_SCHEDULE = """
    left join refresh_schedule s on s.connection_id = r.id
    left join lateral (
        select kind, reason, occurred_at from refresh_event
        where connection_id = r.id and kind = any(cast(:kinds as text[]))
        order by id desc limit 1
    ) e on true
"""
_OF = "where c.id = :id and c.organization_id = coalesce(cast(:of as text), c.organization_id)"
_ONE = binary.statement(_TOKEN + _FROM + _OF)
_MANY = binary.statement(
    _TOKEN
    + ", u.organization_id"
    + _FROM
    + """
    join unnest(cast(:ids as uuid[]), cast(:of as text[])) u(id, organization_id)
      on u.id = c.id and c.organization_id = coalesce(u.organization_id, c.organization_id)
    """
)
_WHOLE = _TOKEN + _WITH_ROW + _FROM + _SCHEDULE + _OF
_LEASED = (
    "select connection_id, lease_token from refresh_schedule "
    "where connection_id = any(cast(:ids as uuid[])) and state + 0 = 1"
)
_SLOTS = (
    "select c.provider, array(select slot from connection s where s.slot_of = c.id "
    "and s.deleted_at is null order by slot) as slots from connection c where c.id = :id"
)
_COLUMNS = 14


@dataclass(frozen=True, slots=True)
class TokenAndRow:
    """A stored token and its schedule row, read in one snapshot."""

    stored: Stored
    row: DueRow


@dataclass(frozen=True, slots=True)
class SlotNames:
    """Which slots of a connection are rows of their own, and its provider, which may have more."""

    provider: str
    slots: tuple[str, ...]


def stored(db: Db, wanted: Wanted) -> Stored | None:
    """Returns the sealed token of one connection, None for an id that is unknown there."""
    found = binary.rows(db, _ONE, {"id": wanted[0], "of": wanted[1]})
    return _stored(found[0]) if found else None


def many(wanted: Collection[Wanted]) -> tuple[binary.Hot, dict[str, object]]:
    """Returns the statement, with its values, that reads all of these connections at once."""
    return _MANY, {"ids": uuids(w[0] for w in wanted), "of": texts(w[1] for w in wanted)}


def found_many(rows: Iterable[Any]) -> dict[Wanted, Stored]:
    """Returns what its answer says: the sealed tokens of those that there are."""
    return {(row[0], row[_COLUMNS]): _stored(row[:_COLUMNS]) for row in rows}


def whole(db: Db, wanted: Wanted) -> TokenAndRow | None:
    """Returns the sealed token together with the schedule row, None for an id that is unknown there."""
    values: dict[str, Any] = {"id": wanted[0], "of": wanted[1], "kinds": _KINDS}
    found = run(db, _WHOLE, **values).first()
    if found is None:
        return None
    return TokenAndRow(_stored(found[:_COLUMNS]), DueRow(*found[_COLUMNS:]))


def slots_of(db: Db, connection_id: UUID) -> SlotNames:
    """Returns the slots of a connection that is there, and its provider."""
    row = run(db, _SLOTS, id=connection_id).one()
    return SlotNames(row.provider, tuple(row.slots))


def leases(db: Db, ids: Collection[UUID]) -> set[tuple[UUID, int]]:
    """Returns which of these rows are leased, each with its lease token."""
    return {(row[0], row[1]) for row in run(db, _LEASED, ids=list(ids))}


def _stored(row: Any) -> Stored:
    id_, root, organization, deleted, sealed, ends, left, life, status, *rest = row
    scopes, version, fields, secrets, provider = rest
    return Stored(
        id_,
        root,
        organization,
        deleted,
        None if sealed is None else Sealed(bytes(sealed)),
        ends,
        left,
        life,
        status,
        tuple(scopes),
        version,
        fields,
        None if secrets is None else Sealed(bytes(secrets)),
        provider,
    )


Session = psycopg.AsyncConnection[Any]


class Lane:
    """One read after the other; belongs to one event loop. Opens its session at the first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Session | None = None

    async def stored_many(self, wanted: Collection[Wanted]) -> dict[Wanted, Stored]:
        """Returns the sealed tokens of those of these connections that there are.

        A session that broke while it rested is replaced. Raises `DatabaseUnavailable`.
        """
        try:
            if (rested := self._session) is not None:
                try:
                    return await self._ask(rested, wanted)
                except psycopg.OperationalError:
                    if not rested.closed:  # slow, not broken: a second try would be as slow
                        raise
                    self.close()
            self._session = await self._database.open_async()
            return await self._ask(self._session, wanted)
        except psycopg.Error as error:
            self.close()
            raise as_told(error, self._database.url) from error

    def close(self) -> None:
        """Ends the session; the next read opens another. Needs no event loop."""
        session, self._session = self._session, None
        if session is not None:
            session.pgconn.finish()

    def __del__(self) -> None:
        self.close()

    async def _ask(self, session: Session, wanted: Collection[Wanted]) -> dict[Wanted, Stored]:
        now, told = self._database.simulated_now, self._database.told_in_transaction()
        if now is None and not told:
            return await self._read(session, wanted)
        async with session.transaction():
            for statement in told:
                await session.execute(statement)
            if now is not None:
                simulating = "select set_config('refresher.now', %s, true)"
                await session.execute(simulating, [now.isoformat()])
            return await self._read(session, wanted)

    async def _read(self, session: Session, wanted: Collection[Wanted]) -> dict[Wanted, Stored]:
        statement, values = many(wanted)
        cursor = await session.execute(statement.sql, values, prepare=True, binary=True)
        return found_many(await cursor.fetchall())
