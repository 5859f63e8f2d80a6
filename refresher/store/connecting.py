"""How a session of ours begins, and how long its server is waited for.

The server is told its settings in SQL after connecting, since poolers refuse start options. Once a
session, where it is ours until it ends; where a pooler gives it to others in between (transaction mode,
which REFRESHER_LIVENESS_LOCK=false stands for) once a transaction, so that nothing of us stays behind.

`statement_timeout` is the server's own: one that is suspended, or whose disk hangs, never gets to it,
and its kernel goes on acknowledging what we send, so no time-out of TCP counts. Without a limit of ours
(`Patience`) each thread that asks would hang until the server goes on, and a process could not stop.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.abc import PQGen
from psycopg.types.array import ListBinaryDumper

from refresher.errors import SettingsError
from refresher.store import binary

FORGOTTEN_AFTER_SECONDS = 600
"""When a server asks a silent session's machine whether it is still there (its own default: two hours).

As long as an attempt may take: until then a machine that lost its network may come back with answers
in hand, and its sessions tell others to leave its rows alone.
"""
MOST_NAME_BYTES = 63
LOOKS = 3
"""How often to look whether a pooler shares a session: another client may have come in between."""
_NAMED = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.]*)\s*=")


def driver_arguments(
    options: Mapping[str, Any], name: str, *, once_a_session: bool
) -> dict[str, object]:
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
    arguments = {key: value for key, value in ours.items() if key not in options}
    arguments["application_name"] = _application_name(options, name)
    arguments["client_encoding"] = "utf8"
    if not once_a_session:
        arguments["prepare_threshold"] = (
            None  # the next transaction may meet another server process
        )
    return arguments


def _application_name(options: Mapping[str, Any], name: str) -> str:
    """Returns the URL's own name of a program before ours, by which processes find each other."""
    given = str(options.get("application_name", os.environ.get("PGAPPNAME", "")))
    room = MOST_NAME_BYTES - len(name) - 1
    prefix = given.encode()[: max(0, room)].decode(errors="ignore").strip()
    return f"{prefix} {name}" if prefix else name


def server_settings(
    options: Mapping[str, Any], statement_timeout_seconds: float, schema: str | None
) -> dict[str, str]:
    """Returns the server's settings that we rely on, without those that the URL's `options` name."""
    wanted = {
        "statement_timeout": f"{statement_timeout_seconds * 1000:.0f}",
        "lock_timeout": f"{statement_timeout_seconds * 500:.0f}",
        "idle_in_transaction_session_timeout": f"{statement_timeout_seconds * 2000:.0f}",
        "tcp_keepalives_idle": f"{FORGOTTEN_AFTER_SECONDS}",
        "tcp_keepalives_interval": "15",
        "tcp_keepalives_count": "4",
        "timezone": "UTC",
        "datestyle": "ISO",
        "intervalstyle": "postgres",
    }
    given = str(options.get("options", os.environ.get("PGOPTIONS", "")))
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


def send_arrays_in_binary(connection: psycopg.Connection[Any], _record: object = None) -> None:
    """Has psycopg send lists in binary form: a statement on 100 rows takes a third of the time."""
    connection.adapters.register_dumper(list, ListBinaryDumper)
    binary.send_in_one_go(connection)


T = TypeVar("T")
BEYOND_SECONDS = 5.0
"""What a server may take beyond its own time-out to tell us so."""
HURRIED_SECONDS = 5.0


class Patience:
    """The limit of one database's statements, shortened when the process is to stop."""

    def __init__(self, statement_timeout_seconds: float) -> None:
        self.seconds = statement_timeout_seconds + BEYOND_SECONDS

    def hurry(self) -> None:
        """Has statements end soon, those that are under way too."""
        self.seconds = min(self.seconds, HURRIED_SECONDS)


class Silent(psycopg.OperationalError):
    """The server did not answer in time; the session is closed."""


class PatientConnection(psycopg.Connection[Any]):
    """A session whose statements end, one way or the other. Without `patience` it waits for ever."""

    patience: Patience | None = None

    def wait(self, gen: PQGen[T], *arguments: Any, **named: Any) -> T:
        """Called by psycopg for everything that waits for the server."""
        if self.patience is None:
            return super().wait(gen, *arguments, **named)
        try:
            return super().wait(_limited(gen, self.patience), *arguments, **named)
        except Silent:
            self.pgconn.finish()
            raise


class PatientAsyncConnection(psycopg.AsyncConnection[Any]):
    """The same for an event loop."""

    patience: Patience | None = None

    async def wait(self, gen: PQGen[T], *arguments: Any, **named: Any) -> T:
        """Called by psycopg for everything that waits for the server."""
        if self.patience is None:
            return await super().wait(gen, *arguments, **named)
        try:
            return await super().wait(_limited(gen, self.patience), *arguments, **named)
        except Silent:
            self.pgconn.finish()
            raise


def _limited(gen: PQGen[T], patience: Patience) -> Generator[Any, Any, T]:
    """Passes on what psycopg's own steps wait for; it comes back ten times a second with nothing."""
    began = monotonic()
    try:
        ready = yield next(gen)
        while True:
            if not ready and monotonic() - began > patience.seconds:
                raise Silent(f"no answer within {patience.seconds:g} s")
            ready = yield gen.send(ready)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the steps return
