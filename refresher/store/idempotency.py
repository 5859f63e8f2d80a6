"""The table `idempotency`: the answers of requests that carried an `Idempotency-Key`.

A row is taken before the request is carried out, and its answer kept when it succeeded. A request whose
process died leaves a row that another may take over after a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

from refresher.store.session import Db, one, run

KEPT_SECONDS = 86_400.0
UNDER_WAY_SECONDS = 60.0
SWEPT_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """A row that is there already; `status` None while its request is under way."""

    fingerprint: bytes
    status: int | None
    body: bytes | None
    etag: str | None


_THIS = "key_id = :key_id and idempotency_key = :idempotency_key"
_SWEEP = """
    delete from idempotency where (key_id, idempotency_key) in (
        select key_id, idempotency_key from idempotency
        where expires_at <= refresher_now() order by expires_at limit :limit
        for update skip locked)
    """
_TAKE = """
    insert into idempotency as i (key_id, idempotency_key, fingerprint, expires_at)
    values (:key_id, :idempotency_key, :fingerprint,
            refresher_now() + :seconds * interval '1 second')
    on conflict (key_id, idempotency_key) do update
    set fingerprint = excluded.fingerprint, expires_at = excluded.expires_at,
        status = null, body = null, etag = null
    where i.expires_at <= refresher_now()
    returning 1
    """


def take(db: Db, key_id: str, idempotency_key: str, fingerprint: bytes) -> Kept | None:
    """Takes the key for the request that is about to be carried out; returns who has it otherwise."""
    names = {"key_id": key_id, "idempotency_key": idempotency_key}
    run(db, _SWEEP, limit=SWEPT_AT_ONCE)
    values = {**names, "fingerprint": fingerprint, "seconds": UNDER_WAY_SECONDS}
    if run(db, _TAKE, **values).first() is not None:
        return None
    sql = f"select fingerprint, status, body, etag from idempotency where {_THIS}"  # noqa: S608
    return one(db, Kept, sql, **names)


def keep(
    db: Db, key_id: str, idempotency_key: str, *, status: int, body: bytes, etag: str | None
) -> None:
    """Keeps the answer for a day."""
    sql = f"""
        update idempotency set status = :status, body = :body, etag = :etag,
            expires_at = refresher_now() + :seconds * interval '1 second' where {_THIS}
        """  # noqa: S608  our own names
    names = {"key_id": key_id, "idempotency_key": idempotency_key}
    run(db, sql, **names, status=status, body=body, etag=etag, seconds=KEPT_SECONDS)


def give_up(db: Db, key_id: str, idempotency_key: str) -> None:
    """Forgets a request that failed, so that it may be tried again."""
    sql = f"delete from idempotency where {_THIS} and status is null"  # noqa: S608  our own names
    run(db, sql, key_id=key_id, idempotency_key=idempotency_key)
