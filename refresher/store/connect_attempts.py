"""The table `connect_attempt`: one way to the provider and back, good for one callback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from refresher.rules.connect import ATTEMPT_SECONDS, Attempt, Trouble
from refresher.rules.connection import Sealed
from refresher.store.connect import as_trouble, trouble_text
from refresher.store.db import RowMapping
from refresher.store.session import Db, run


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """What is stored of a new attempt."""

    id: UUID
    state_hash: bytes = field(repr=False)
    session_id: UUID
    cookie_hash: bytes = field(repr=False)
    slug: str
    redirect_uri: str
    code_url: str
    issuer: str | None = None
    host: str | None = None
    scopes: Sequence[str] = ()
    verifier: Sealed | None = field(default=None, repr=False)
    nonce_hash: bytes | None = field(default=None, repr=False)


def begin(db: Db, new: NewAttempt, *, seconds: float = ATTEMPT_SECONDS) -> Attempt:
    """Stores an attempt, and counts it in its session, which the caller has locked."""
    counted = (
        "update connect_session set attempts = attempts + 1, "
        "opened_at = coalesce(opened_at, refresher_now()) where id = :id"
    )
    run(db, counted, id=new.session_id)
    values = {f.name: getattr(new, f.name) for f in fields(NewAttempt)}
    sql = f"""
        insert into connect_attempt ({", ".join(values)}, expires_at)
        values ({", ".join(f":{name}" for name in values)},
                refresher_now() + :seconds * interval '1 second')
        returning {_COLUMNS}
        """  # noqa: S608  our own column names
    found = run(db, sql, **{**values, "scopes": list(new.scopes)}, seconds=seconds)
    return _attempt(found.mappings().one())


def by_state(db: Db, state_hash: bytes) -> Attempt | None:
    """Returns the attempt of a state, by the state's hash."""
    sql = f"{_SELECT} where state_hash = :state_hash"
    row = run(db, sql, state_hash=state_hash).mappings().first()
    return None if row is None else _attempt(row)


def find(db: Db, attempt_id: UUID) -> Attempt | None:
    """Returns an attempt by its id."""
    row = run(db, f"{_SELECT} where id = :id", id=attempt_id).mappings().first()
    return None if row is None else _attempt(row)


def of(db: Db, session_id: UUID) -> list[Attempt]:
    """Returns a session's attempts, the newest first: ten at the most."""
    sql = f"{_SELECT} where session_id = :id order by id desc"
    return [_attempt(row) for row in run(db, sql, id=session_id).mappings()]


def spend(db: Db, attempt_id: UUID, trouble: Trouble | None = None) -> bool:
    """Spends an attempt, whatever comes of it; False where it was spent already (C3)."""
    sql = """
        update connect_attempt set spent_at = refresher_now(), problem = cast(:problem as jsonb)
        where id = :id and spent_at is null
        """
    return run(db, sql, id=attempt_id, problem=trouble_text(trouble)).rowcount == 1


def forget_old(db: Db, *, days: float = 1.0, limit: int = 5_000) -> int:
    """Deletes attempts that ended so many days ago; returns how many."""
    sql = """
        delete from connect_attempt where id in (
            select id from connect_attempt
            where expires_at < refresher_now() - :days * interval '1 day' limit :limit)
        """
    return run(db, sql, days=days, limit=limit).rowcount


def _attempt(row: RowMapping) -> Attempt:
    values: dict[str, Any] = {**row}
    return Attempt(**{**values, "trouble": as_trouble(values["trouble"])})


_COLUMNS = ", ".join(
    "problem as trouble" if f.name == "trouble" else f.name for f in fields(Attempt)
)
_SELECT = f"select {_COLUMNS} from connect_attempt"  # noqa: S608  our own column names
