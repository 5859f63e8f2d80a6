"""Looks at the server and at the tables for `refresher doctor`; and says what a refusal means.

Reads only, each look bounded: a sick database must still answer. The counts that health pages show
are in `health.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from sqlalchemy import Connection as Db
from sqlalchemy import text
from sqlalchemy.exc import ArgumentError, DBAPIError

from refresher.rules.connection import Sealed
from refresher.store.connecting import shares_sessions
from refresher.store.health import MOST_COUNTED
from refresher.store.session import Database, as_told
from refresher.store.workers import LOCK_CLASS


@dataclass(frozen=True, slots=True)
class Server:
    """What the server says about itself; `now` is its clock at this very moment."""

    version_number: int
    version: str
    database: str
    now: datetime
    isolation: str
    autovacuum: bool
    read_only: bool
    encoding: str


@dataclass(frozen=True, slots=True)
class ProcessSeen:
    """A process that has not noted its end; `locked` tells that its liveness lock stands.

    `failing` are its jobs that fail again and again, with the reason.
    """

    role: str
    host: str
    process_id: int
    locked: bool
    seen_seconds: float
    failing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SealedValue:
    """One sealed value with its owner and column, as the cipher wants to know them."""

    owner_id: UUID
    column: str
    value: Sealed


def server(db: Db) -> Server:
    """Returns the facts of the server that matter to us."""
    statement = text(
        """
        select current_setting('server_version_num')::int as version_number,
            current_setting('server_version') as version, current_database() as database,
            current_setting('server_encoding') as encoding,
            clock_timestamp() as now,
            current_setting('default_transaction_isolation') as isolation,
            current_setting('autovacuum')::boolean and current_setting('track_counts')::boolean
                as autovacuum,
            pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as read_only
        """
    )
    return Server(**db.execute(statement).mappings().one())


def sessions_are_ours(database: Database) -> bool:
    """Whether a session keeps its server process: false behind a pooler in transaction mode."""
    try:
        return not shares_sessions(database.open_plain)
    except psycopg.Error as error:
        raise as_told(error, database.url) from error


def processes(db: Db) -> list[ProcessSeen]:
    """Returns the processes that registered and noted no end."""
    statement = text(
        """
        select w.role, w.host, w.process_id, l.objid is not null as locked,
            extract(epoch from refresher_now() - w.seen_at)::float8 as seen_seconds, w.failing
        from worker w
        left join pg_locks l on l.locktype = 'advisory' and l.classid::bigint = :class
            and l.objid::bigint = w.lock_key and l.granted
            and l.database = (select oid from pg_database where datname = current_database())
        where w.stopped_at is null order by w.role, w.host, w.process_id
        """
    )
    return [ProcessSeen(**r) for r in db.execute(statement, {"class": LOCK_CLASS}).mappings()]


def parked_for(db: Db, reason: str) -> Sequence[tuple[str, str, int]]:
    """Returns provider, app and number of the rows that are parked for this reason."""
    statement = text(
        """
        select c.provider, c.app_name, count(*) from (
            select connection_id from refresh_schedule
            where state = 2 and parked_reason = :reason limit :most) p
        join connection c on c.id = p.connection_id group by 1, 2 order by 1, 2
        """
    )
    values = {"reason": reason, "most": MOST_COUNTED}
    return [(row[0], row[1], row[2]) for row in db.execute(statement, values)]


def sealed_sample(db: Db, start: UUID, *, limit: int) -> list[SealedValue]:
    """Returns sealed tokens of the connections behind `start`, and of the first ones if few follow.

    Ids are spread evenly, so a random start gives a fair sample at the cost of an index.
    """
    statement = text(
        """
        select id, access_token, refresh_token from (
            (select id, access_token, refresh_token from connection
             where id >= :start and deleted_at is null order by id limit :limit)
            union
            (select id, access_token, refresh_token from connection
             where deleted_at is null order by id limit :limit)) s
        """
    )
    columns = ("access_token", "refresh_token")
    rows = db.execute(statement, {"start": start, "limit": limit}).mappings()
    return [
        SealedValue(row["id"], column, Sealed(bytes(row[column])))
        for row in rows
        for column in columns
        if row[column] is not None
    ]


def sealed_secrets(db: Db) -> list[SealedValue]:
    """Returns the sealed client secrets of all apps."""
    statement = text("select id, client_secret from app where client_secret is not null")
    return [
        SealedValue(row.id, "client_secret", Sealed(bytes(row.client_secret)))
        for row in db.execute(statement)
    ]


def refusal(error: BaseException) -> str | None:
    """Returns a sentence for what the database refuses, without our statement; None for a bug."""
    if isinstance(error, ArgumentError):
        return "DATABASE_URL is not a URL that can be read"
    if isinstance(error, UnicodeError):
        return "it holds a character that the database cannot take"
    if not isinstance(error, DBAPIError):
        return None
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    return f"the database refuses: {lines[0] if lines else 'no reason given'}"
