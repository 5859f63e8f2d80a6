"""How a session of ours begins: what the driver is told, and what the server is.

The server is told in SQL after connecting, since poolers refuse start options. Once a session, where
it is ours until it ends; where a pooler gives it to others in between (transaction mode, which
REFRESHER_LIVENESS_LOCK=false stands for) once a transaction, so that nothing of us stays behind.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL

from refresher.errors import SettingsError

MOST_NAME_BYTES = 63
LOOKS = 3
"""How often to look whether a pooler shares a session: another client may have come in between."""
_NAMED = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.]*)\s*=")


def driver_arguments(url: URL, name: str, *, once_a_session: bool) -> dict[str, object]:
    """Returns libpq's arguments: a hung server or a dead peer is noticed within seconds.

    What the URL says of them counts. `name` is what Postgres shows of its sessions.
    """
    ours: dict[str, object] = {
        "client_encoding": "utf8",
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }
    arguments = {key: value for key, value in ours.items() if key not in url.query}
    arguments["application_name"] = _application_name(url, name)
    arguments["client_encoding"] = "utf8"
    if not once_a_session:
        arguments["prepare_threshold"] = (
            None  # the next transaction may meet another server process
        )
    return arguments


def _application_name(url: URL, name: str) -> str:
    """Returns the URL's own name of a program before ours, by which processes find each other."""
    given = str(url.query.get("application_name", os.environ.get("PGAPPNAME", "")))
    room = MOST_NAME_BYTES - len(name) - 1
    prefix = given.encode()[: max(0, room)].decode(errors="ignore").strip()
    return f"{prefix} {name}" if prefix else name


def server_settings(
    url: URL, statement_timeout_seconds: float, schema: str | None
) -> dict[str, str]:
    """Returns the server's settings that we rely on, without those that the URL's `options` name."""
    wanted = {
        "statement_timeout": f"{statement_timeout_seconds * 1000:.0f}",
        "lock_timeout": f"{statement_timeout_seconds * 500:.0f}",
        "idle_in_transaction_session_timeout": f"{statement_timeout_seconds * 2000:.0f}",
        "timezone": "UTC",
        "datestyle": "ISO",
        "intervalstyle": "postgres",
    }
    given = str(url.query.get("options", os.environ.get("PGOPTIONS", "")))
    named = {name.lower() for name in _NAMED.findall(given)}
    kept = {name: value for name, value in wanted.items() if name not in named}
    if schema is not None:
        kept["search_path"] = sql.Identifier(schema).as_string(None)
    return kept


def telling(settings: Mapping[str, str], *, once_a_session: bool) -> str:
    """Returns the statement that sets all of them, for the session or for one transaction."""
    each = [
        sql.SQL("set_config({}, {}, {})").format(name, value, not once_a_session)
        for name, value in settings.items()
    ]
    return sql.SQL("select {}").format(sql.SQL(", ").join(each)).as_string(None)


Opener = Callable[[], psycopg.Connection[Any]]


def refuse_shared_sessions(
    session: psycopg.Connection[Any], open_session: Opener, where: str
) -> None:
    """Raises `SettingsError` where a pooler in transaction mode stands before Postgres.

    Without a pooler it costs one look: the server process is the one that greeted us.
    """
    if _server_process(session) != session.info.backend_pid and shares_sessions(open_session):
        raise SettingsError(
            f"{where} leads to a pooler in transaction mode, where no session keeps its liveness "
            "lock: name Postgres itself or a pooler in session mode in DATABASE_URL, or set "
            "REFRESHER_LIVENESS_LOCK to false"
        )


def shares_sessions(open_session: Opener) -> bool:
    """Whether a pooler gives a session's server process to others between its transactions.

    It changes nothing in any session, and takes no lock: that might stay behind.
    """
    with closing(open_session()) as first:
        first.autocommit = True
        return any(_meets_another(first, open_session) for _ in range(LOOKS))


def _meets_another(first: psycopg.Connection[Any], open_session: Opener) -> bool:
    """Whether another session is served by the same process, or drives the first one to another."""
    before = _server_process(first)
    with closing(open_session()) as second:
        shared = _server_process(second) == before or _server_process(first) != before
        second.rollback()
        return shared


def _server_process(session: psycopg.Connection[Any]) -> int:
    (number,) = session.execute("select pg_backend_pid()").fetchone() or (0,)
    return int(number)
