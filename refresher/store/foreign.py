"""Reads other systems' tables, in a PostgreSQL that is not ours: read-only, row by row as JSON.

The tables of a library have its names; an Auth.js adapter's are found by their columns, since each
adapter and each application calls them as it likes. Nothing is locked, and nothing but read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never
from urllib.parse import parse_qsl, urlencode

from psycopg import sql

from refresher.errors import RefresherError, SourceUnreadable
from refresher.rules.moving import System
from refresher.settings.database_url import UnreadableURL, canonical, where
from refresher.store.pool import DatabaseError, Pool
from refresher.store.session import Db, run

AT_ONCE = 2_000
STATEMENT_SECONDS = 300.0
_OF_OTHER_CLIENTS = {
    "schema",
    "connection_limit",
    "pool_timeout",
    "pgbouncer",
    "statement_cache_size",
}
"""Options of Prisma's, which PostgreSQL's own client does not know."""
_ACCOUNT = ("providerAccountId", "provider_account_id")
_ALLAUTH = """
    select t.token, t.token_secret, t.expires_at, a.provider, a.uid, a.user_id, p.client_id
    from socialaccount_socialtoken t join socialaccount_socialaccount a on a.id = t.account_id
    left join socialaccount_socialapp p on p.id = t.app_id
    """


def rows(url: str, system: System, table: str | None) -> Iterator[bytes]:
    """Yields each row as a JSON object; raises `SourceUnreadable`, without the password.

    `table` names the table, where it is not the system's own: `accounts`, or `app.accounts`.
    """
    place, schema = _read(url)
    settings = {"statement_timeout_seconds": STATEMENT_SECONDS, "sessions_are_ours": False}
    database = Pool(place, pool_size=1, name="refresher import", schema=schema, **settings)  # type: ignore[arg-type]
    try:
        with database.transaction() as db:
            run(db, "set transaction read only")
            select = _select(db, system, table)
            streamed = db.execution_options(stream_results=True, yield_per=AT_ONCE)
            for row in streamed.exec_driver_sql(f"select row_to_json(r)::text from ({select}) r"):  # noqa: S608
                yield str(row[0]).encode()
    except SourceUnreadable:
        raise
    except DatabaseError as error:
        said = str(error.orig).splitlines()[0] if error.orig else "it refuses"
        raise SourceUnreadable(f"{where(place)} cannot be read: {said}") from None
    except RefresherError as error:
        raise SourceUnreadable(f"their database cannot be read: {error}") from None
    finally:
        database.close()


def _read(url: str) -> tuple[str, str | None]:
    """Returns the URL in our form, and the schema that Prisma names in it."""
    place, mark, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    kept = {name: value for name, value in options.items() if name not in _OF_OTHER_CLIENTS}
    try:
        return canonical(place + (mark + urlencode(kept) if kept else "")), options.get("schema")
    except UnreadableURL as error:
        raise SourceUnreadable(f"their database's URL {error}") from None


def _select(db: Db, system: System, table: str | None) -> str:
    match system:
        case System.DJANGO_ALLAUTH:
            _needed(db, "socialaccount_socialtoken")
            return _ALLAUTH
        case System.PYTHON_SOCIAL_AUTH:
            return f"select * from {_named(db, table or 'social_auth_usersocialauth')}"  # noqa: S608
        case System.AUTHJS:
            return f"select * from {_named(db, table) if table else _accounts(db)}"  # noqa: S608
        case System.SUPABASE:
            return _supabase(db, table)
        case System.NANGO | System.COMPOSIO:
            raise SourceUnreadable(f"{system} is read by its API, or from a file")
        case _:
            assert_never(system)


def _supabase(db: Db, table: str | None) -> str:
    if table is None:
        raise SourceUnreadable(
            "Supabase Auth stores no provider's tokens: name the table in which your application "
            "keeps session.provider_token and session.provider_refresh_token by --table"
        )
    name = _named(db, table)
    columns = set(_columns(db, name))
    if not {"user_id", "provider"} <= columns or "provider_id" in columns:
        return f"select * from {name}"  # noqa: S608
    # Whose account it is, Supabase knows.
    return f"""
        select t.*, i.provider_id from {name} t left join auth.identities i
            on i.user_id::text = t.user_id::text and i.provider = t.provider
        """  # noqa: S608


def _columns(db: Db, name: str) -> list[str]:
    sql_ = (
        "select attname from pg_attribute where attrelid = cast(:name as regclass) and attnum > 0"
    )
    return list(run(db, sql_, name=name).scalars())


def _accounts(db: Db) -> str:
    """Returns the one table that has the columns of an adapter's accounts."""
    found = run(
        db,
        "select table_schema, table_name from information_schema.columns "
        "where column_name = any(cast(:names as text[])) "
        "and table_schema not in ('pg_catalog', 'information_schema') "
        "group by 1, 2 having count(*) = 3 order by 1, 2",
        names=["provider", "access_token", *_ACCOUNT],
    ).all()
    names = [".".join(row) for row in found]
    if len(names) != 1:
        which = f"has several tables of accounts, {', '.join(names)}" if names else "has none"
        raise SourceUnreadable(
            f"their database {which} (with provider, providerAccountId and access_token): name it by "
            "--table"
        )
    return _quoted(names[0])


def _named(db: Db, table: str) -> str:
    quoted = _quoted(table)
    _needed(db, quoted)
    return quoted


def _quoted(table: str) -> str:
    return sql.Identifier(*table.split(".", 1)).as_string(None)


def _needed(db: Db, name: str) -> None:
    if run(db, "select to_regclass(:name)", name=name).scalar() is None:
        shown = name.replace('"', "")
        raise SourceUnreadable(f"their database has no table {shown}")
