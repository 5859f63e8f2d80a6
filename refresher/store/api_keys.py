"""The table `api_key`: found by the public id, listed, revoked. A secret comes here as its hash."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from refresher.rules.access import ApiKey, Scope
from refresher.store.session import Db, run

LAST_USED_SECONDS = 60.0
"""How rarely `last_used_at` is written: who looks wants to know the day."""

_COLUMNS = ", ".join(f.name for f in fields(ApiKey))


def add(
    db: Db,
    key_id: str,
    secret_hash: bytes,
    *,
    name: str,
    organization_id: str | None,
    scopes: Iterable[Scope],
    expires_in_seconds: float | None,
) -> ApiKey:
    """Stores a new key and returns it."""
    sql = f"""
        insert into api_key (id, name, organization_id, scopes, secret_hash, expires_at)
        values (:id, :name, :organization_id, cast(:scopes as text[]), :secret_hash,
                refresher_now() + cast(:expires_in as float8) * interval '1 second')
        returning {_COLUMNS}
        """  # noqa: S608  our own column names
    values = {
        "id": key_id, "name": name, "organization_id": organization_id, "scopes": sorted(scopes),
        "secret_hash": secret_hash, "expires_in": expires_in_seconds,
    }  # fmt: skip
    return made_of(run(db, sql, **values).mappings().one())


def find(db: Db, key_id: str) -> tuple[ApiKey | None, datetime]:
    """Returns the key of this id, revoked and expired ones too, and the database's clock."""
    sql = (
        f"select refresher_now() as now, {_COLUMNS} "  # noqa: S608  our own names
        "from (select 1) one left join api_key on id = :id"
    )
    row = dict(run(db, sql, id=key_id).mappings().one())
    now: datetime = row.pop("now")
    return (made_of(row) if row["id"] is not None else None), now


def every(db: Db, organization_id: str | None = None) -> list[ApiKey]:
    """Returns all keys, or one organization's, the oldest first."""
    sql = f"""
        select {_COLUMNS} from api_key
        where cast(:organization_id as text) is null or organization_id = :organization_id
        order by created_at, id
        """  # noqa: S608  our own column names
    rows = run(db, sql, organization_id=organization_id).mappings()
    return [made_of(row) for row in rows]


def names(db: Db, key_ids: Collection[str], organization_id: str | None) -> dict[str, str]:
    """Returns the names of these keys by their ids; to one organization, those of its own alone.

    Of what is no key's id, nothing.
    """
    if not key_ids:
        return {}
    sql = """
        select id, name from api_key where id = any(cast(:ids as text[]))
        and (cast(:organization as text) is null or organization_id = :organization)
        """
    found = run(db, sql, ids=list(key_ids), organization=organization_id)
    return {row.id: row.name for row in found}


def newest(db: Db, *, before: tuple[datetime, str] | None = None, limit: int) -> list[ApiKey]:
    """Returns keys, the newest first; those behind the key of this instant and id."""
    made_at, key_id = before or (None, None)
    sql = f"""
        select {_COLUMNS} from api_key
        where cast(:made_at as timestamptz) is null or (created_at, id) < (:made_at, :id)
        order by created_at desc, id desc limit :limit
        """  # noqa: S608  our own column names
    rows = run(db, sql, made_at=made_at, id=key_id, limit=limit).mappings()
    return [made_of(row) for row in rows]


def revoke(db: Db, key_id: str) -> ApiKey | None:
    """Revokes a key, once; returns it, or None when there is none."""
    update = "update api_key set revoked_at = coalesce(revoked_at, refresher_now()) where id = :id"
    sql = f"{update} returning {_COLUMNS}"
    row = run(db, sql, id=key_id).mappings().first()
    return made_of(row) if row else None


def used(db: Db, key_id: str) -> None:
    """Notes that a key was used, at most once a minute whatever the number of processes."""
    sql = """
        update api_key set last_used_at = refresher_now()
        where id = :id and (last_used_at is null
            or last_used_at < refresher_now() - :rarely * interval '1 second')
        """
    run(db, sql, id=key_id, rarely=LAST_USED_SECONDS)


def made_of(row: Mapping[Any, Any]) -> ApiKey:
    """Returns the key of a row that has its columns, and maybe others."""
    values = {name: row[name] for name in ApiKey.__dataclass_fields__}
    return ApiKey(**{**values, "scopes": frozenset(Scope(scope) for scope in row["scopes"])})
