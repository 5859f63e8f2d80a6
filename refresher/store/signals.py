"""The table `signal`: which notices of providers came, and the accounts that they mean."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

from refresher.store.events import Event, append

KEPT_DAYS = 30


def note(db: Db, provider: str, event_id: str, kind: str) -> bool:
    """Writes a notice down; returns whether it is new. Forgets old ones, some at a time."""
    db.execute(
        text(
            "delete from signal where ctid in (select ctid from signal where received_at < "
            "refresher_now() - :days * interval '1 day' limit 100 for update skip locked)"
        ),
        {"days": KEPT_DAYS},
    )
    statement = text(
        "insert into signal (provider, event_id, kind) values (:provider, :event_id, :kind) "
        "on conflict do nothing"
    )
    values = {"provider": provider, "event_id": event_id, "kind": kind}
    return db.execute(statement, values).rowcount == 1


def accounts(db: Db, provider: str, subject: str, metadata_key: str | None) -> list[UUID]:
    """Returns the living connections of one account at a provider, each as the root of its grant."""
    same = "c.external_id = :subject" if metadata_key is None else "c.metadata ->> :key = :subject"
    statement = text(
        f"select distinct coalesce(c.root_id, c.id) from connection c "  # noqa: S608  ours
        f"where c.provider = :provider and c.deleted_at is null and {same}"
    )
    values = {"provider": provider, "subject": subject}
    values |= {"key": metadata_key} if metadata_key is not None else {}
    return list(db.execute(statement, values).scalars())


def check(db: Db, provider: str, event_id: str, ids: Sequence[UUID], reason: str) -> None:
    """Makes idle rows due now. One that is under way or parked is left: it is looked at already."""
    db.execute(
        text(
            "update refresh_schedule set due_at = least(due_at, refresher_now()) "
            "where connection_id = any(cast(:ids as uuid[])) and state + 0 = 0"
        ),
        {"ids": list(ids)},
    )
    append(db, [Event(one, "signal", reason=reason) for one in ids])
    db.execute(
        text(
            "update signal set connections = :n where provider = :provider and event_id = :event_id"
        ),
        {"n": len(ids), "provider": provider, "event_id": event_id},
    )
