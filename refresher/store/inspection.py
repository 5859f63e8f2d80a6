"""Looks at the server and at the tables for `refresher doctor`; and says what a refusal means.

Reads only, each look bounded: a sick database must still answer. The counts that health pages show
are in `gauges.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from refresher.store.connecting import shares_sessions
from refresher.store.gauges import MOST_COUNTED
from refresher.store.refusals import as_told
from refresher.store.session import Database, Db, one, run


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """What the server says about itself; `now` is its clock at this very moment."""

    version_number: int
    version: str
    database: str
    now: datetime
    isolation: str
    autovacuum: bool
    read_only: bool
    encoding: str


def server(db: Db) -> DatabaseServer:
    """Returns the facts of the server that matter to us."""
    sql = """
        select current_setting('server_version_num')::int as version_number,
            current_setting('server_version') as version, current_database() as database,
            current_setting('server_encoding') as encoding,
            clock_timestamp() as now,
            current_setting('default_transaction_isolation') as isolation,
            current_setting('autovacuum')::boolean and current_setting('track_counts')::boolean
                as autovacuum,
            pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as read_only
        """
    return one(db, DatabaseServer, sql)


def sessions_are_ours(database: Database) -> bool:
    """Whether a session keeps its server process: false behind a pooler in transaction mode."""
    try:
        return not shares_sessions(database.open_plain)
    except psycopg.Error as error:
        raise as_told(error, database.url) from error


def parked_for(db: Db, reason: str) -> Sequence[tuple[str, str, int]]:
    """Returns provider, app and number of the rows that are parked for this reason."""
    sql = """
        select c.provider, c.app_name, count(*) from (
            select connection_id from refresh_schedule
            where state = 2 and parked_reason = :reason limit :most) p
        join connection c on c.id = p.connection_id group by 1, 2 order by 1, 2
        """
    return [(row[0], row[1], row[2]) for row in run(db, sql, reason=reason, most=MOST_COUNTED)]
