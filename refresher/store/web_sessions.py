"""The table `web_session`: found by the hash of what a browser holds, ended, forgotten when over."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.rules.access import ApiKey
from refresher.store import api_keys
from refresher.store.session import Db, many, one, run

SEEN_SECONDS = 60.0
"""How rarely `seen_at` is written: idleness is counted in hours."""
KEPT_DAYS = 1
"""So long a session that is over can still be told from one that never was."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as stored; `is_link`: a link that somebody may still exchange for one."""

    id: UUID
    key_id: str
    read_only: bool
    is_link: bool
    created_at: datetime
    seen_at: datetime
    ends_at: datetime


_COLUMNS = "id, key_id, read_only, is_link, created_at, seen_at, ends_at"


def add(
    db: Db,
    session_id: UUID,
    secret_hash: bytes,
    *,
    key_id: str,
    read_only: bool,
    seconds: float,
    is_link: bool = False,
) -> datetime:
    """Stores a session that ends after so many seconds; returns when."""
    sql = """
        insert into web_session (id, secret_hash, key_id, read_only, is_link, ends_at)
        values (:id, :hash, :key_id, :read_only, :is_link,
                refresher_now() + :seconds * interval '1 second')
        returning ends_at
        """
    return one(
        db, datetime, sql, id=session_id, hash=secret_hash, key_id=key_id, read_only=read_only,
        is_link=is_link, seconds=seconds,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A session by the hash of what a browser holds, its key, and the database's clock."""

    secret_hash: bytes
    session: StoredSession
    key: ApiKey
    now: datetime


_FIND = f"""
    select refresher_now() as now, w.secret_hash as mark,
        {", ".join(f"w.{name} as w_{name}" for name in _COLUMNS.split(", "))}, k.*
    from web_session w join api_key k on k.id = w.key_id
    where w.secret_hash = any(cast(:hashes as bytea[])) and not w.is_link
    """  # noqa: S608  our own column names


def find(db: Db, secret_hashes: Collection[bytes]) -> list[Found]:
    """Returns those of these sessions that there are; those that are over, too."""
    rows = run(db, _FIND, hashes=list(secret_hashes)).mappings()
    names = StoredSession.__dataclass_fields__
    return [
        Found(
            bytes(row["mark"]),
            StoredSession(**{name: row[f"w_{name}"] for name in names}),
            api_keys.made_of(row),
            row["now"],
        )
        for row in rows
    ]


def seen(db: Db, session_id: UUID) -> None:
    """Notes that somebody is there, and that the key is used; once a minute."""
    sql = """
        with seen as (
            update web_session set seen_at = refresher_now()
            where id = :id and seen_at < refresher_now() - :rarely * interval '1 second'
            returning key_id)
        update api_key set last_used_at = refresher_now() from seen where api_key.id = seen.key_id
        """
    run(db, sql, id=session_id, rarely=SEEN_SECONDS)


def spend(db: Db, secret_hash: bytes) -> str | None:
    """Takes a link away, once; returns the id of its key, None where there is none any more."""
    sql = """
        delete from web_session where secret_hash = :hash and is_link and ends_at > refresher_now()
        returning key_id
        """
    found = many(db, str, sql, hash=secret_hash)
    return found[0] if found else None


def of_key(db: Db, key_id: str, limit: int = 50) -> list[StoredSession]:
    """Returns a key's sessions that are not over, the newest first."""
    sql = f"""
        select {_COLUMNS} from web_session
        where key_id = :key_id and not is_link and ends_at > refresher_now()
        order by created_at desc limit :limit
        """  # noqa: S608  our own column names
    return many(db, StoredSession, sql, key_id=key_id, limit=limit)


def end(db: Db, key_id: str, session_id: UUID | None = None) -> int:
    """Ends one session of a key, or all of them with its links; returns how many."""
    sql = """
        delete from web_session
        where key_id = :key_id and (cast(:id as uuid) is null or id = :id)
        """
    return run(db, sql, key_id=key_id, id=session_id).rowcount


def forget(db: Db, secret_hash: bytes) -> None:
    """Forgets the session that a browser held before it got another one."""
    run(db, "delete from web_session where secret_hash = :hash and not is_link", hash=secret_hash)


def forget_old(db: Db) -> int:
    """Forgets what has been over for a day; returns how many."""
    sql = "delete from web_session where ends_at < refresher_now() - :days * interval '1 day'"
    return run(db, sql, days=KEPT_DAYS).rowcount
