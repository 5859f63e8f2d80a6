"""What makes Postgres refuse, each with its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

ROLE = "refresher_service"
Fault = Callable[[psycopg.Connection[Any]], None]


def run(*statements: str) -> Fault:
    """Returns a fault that an administrator's statements make, or end."""

    def apply(admin: psycopg.Connection[Any]) -> None:
        for statement in statements:
            admin.execute(statement.encode())

    return apply


def raising(sqlstate: str, table: str = "connection") -> tuple[Fault, Fault]:
    """Returns a fault that refuses what is written to a table with this SQLSTATE, and its end."""
    body = f"begin raise exception 'not now' using errcode = '{sqlstate}'; end"
    return (
        run(
            f"create function refuse() returns trigger language plpgsql as $$ {body} $$",
            f"create trigger refuse before insert or update on {table} "
            "for each row execute function refuse()",
        ),
        run("drop function refuse cascade"),
    )


def read_only(admin: psycopg.Connection[Any]) -> None:
    """Makes the database read-only for all sessions, as a failover does."""
    name = sql.Identifier(admin.info.dbname)
    admin.execute(sql.SQL("alter database {} set default_transaction_read_only = on").format(name))
    admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


def writable(admin: psycopg.Connection[Any]) -> None:
    """Ends that; sessions that were opened meanwhile stay read-only."""
    admin.execute("set default_transaction_read_only = off")
    name = sql.Identifier(admin.info.dbname)
    admin.execute(sql.SQL("alter database {} reset default_transaction_read_only").format(name))


FAULTS: dict[str, tuple[Fault, Fault]] = {
    "read-only": (read_only, writable),
    "permission": (
        run(f"revoke update on connection from {ROLE}"),
        run(f"grant update on connection to {ROLE}"),
    ),
    "constraint": (
        run("alter table connection add constraint c check (credential_version < 2) not valid"),
        run("alter table connection drop constraint c"),
    ),
    "events constraint": (
        run("alter table refresh_event add constraint c check (kind <> 'refreshed') not valid"),
        run("alter table refresh_event drop constraint c"),
    ),
    "table renamed": (
        run("alter table connection rename to elsewhere"),
        run("alter table elsewhere rename to connection"),
    ),
    "row security": (
        run(
            "create policy own on connection for select using (true)",
            "create policy none on connection for update using (true) with check (false)",
            "alter table connection enable row level security",
        ),
        run("alter table connection disable row level security"),
    ),
    **{
        state: raising(state)
        for state in (
            "53100",
            "53200",
            "53400",
            "58030",
            "57014",
            "40001",
            "P0001",
            "XX000",
            "ZZ999",
        )
    },
}
