"""The tables `mail` and `mail_entry`: what each recipient is told, in which mail, and how it went.

            claim                begin (takes the slot)         settle
    due ─────────────▶ leased ───────────────────────▶ begun ──────────▶ sent
     ▲                  │                                │ ├── deferred ─▶ due (later)
     └──────────────────┴── release, sweep by lease ─────┘ └── refused ──▶ failed

A mail gains no entries once it is made (it loses those that are over), so each try has the same
Message-ID. `mail_slot` holds when the next mail may leave; `begin` takes it in the moment of leaving.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text

from refresher.rules.mails import MailDecision
from refresher.store import outbox
from refresher.store.outbox import Entry

MOST_BUSY = 4
"""How many mails may be under way at once: a mail server that hangs holds no more threads."""
SOON_SECONDS = 0.05
"""When to ask again while a mail is on its way to a worker."""
Form = Literal["plain", "digest"]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send one mail, named by a lease token that only grows."""

    mail_id: UUID
    lease_token: int
    form: Form


@dataclass(frozen=True, slots=True)
class Letter:
    """A leased mail with everything it tells."""

    id: UUID
    lease_token: int
    form: Form
    attempt: int
    age_seconds: float
    pauses: int
    recipient_id: UUID
    address: str
    organization_id: str | None
    organization_name: str | None
    reconnect_url: str | None
    entries: tuple[Entry, ...]


def claim(db: Db, *, lease_seconds: float) -> tuple[Lease | None, float | None]:
    """Leases the mail whose turn it is, or returns in how many seconds to ask again (None: idle).

    Organizations take turns, the one that waits longest for its turn first; of its mails, that which is
    due longest. Who has many mails to send holds up its own. At most one is on its way to a worker at
    any time, so that they do not bunch before the slot.
    """
    slot = db.execute(
        text(
            "select extract(epoch from greatest(next_at, refresher_now()) - refresher_now())::float8 "
            "as wait, "
            "(select count(*) from mail where state = 1) as busy, "
            "exists (select 1 from mail where state = 1 and begun_token <> lease_token) as on_its_way, "
            "(select extract(epoch from min(due_at) - refresher_now())::float8 from mail "
            " where state = 0) as due "
            "from mail_slot where name = 'mail'"
        )
    ).one()
    if slot.due is None:
        return None, None
    wait = max(slot.wait, slot.due)
    if wait > 0:
        return None, wait
    if slot.on_its_way or slot.busy >= MOST_BUSY:
        return None, SOON_SECONDS
    row = db.execute(_CLAIM, {"lease_seconds": lease_seconds}).first()
    return (Lease(*row), None) if row else (None, SOON_SECONDS)


_CLAIM = text(
    """
    with due as materialized (
        select m.id, r.organization_id from mail m join recipient r on r.id = m.recipient_id
        left join mail_turn t on t.organization_id = r.organization_id
        where m.state = 0 and m.due_at <= refresher_now()
        order by t.number nulls first, m.due_at, m.id limit 1 for update of m skip locked
    ), turned as (
        insert into mail_turn (organization_id, number)
        select organization_id, (select coalesce(max(number), 0) + 1 from mail_turn) from due
        on conflict (organization_id) do update set number = excluded.number
    )
    update mail m set state = 1, lease_token = m.lease_token + 1,
        lease_until = refresher_now() + :lease_seconds * interval '1 second'
    from due where m.id = due.id returning m.id, m.lease_token, m.form
    """
)


def release(db: Db, lease: Lease, *, due_in_seconds: float = 0.0) -> bool:
    """Gives a lease back that was not begun; nothing is counted."""
    statement = text(
        """
        update mail set state = 0, lease_until = null,
            due_at = refresher_now() + :seconds * interval '1 second'
        where id = :id and lease_token = :token and state = 1 and begun_token <> lease_token
        """
    )
    values = {"id": lease.mail_id, "token": lease.lease_token, "seconds": due_in_seconds}
    return db.execute(statement, values).rowcount == 1


def release_unbegun(db: Db) -> int:
    """Makes every mail due that was handed over and not begun: the messages are gone."""
    statement = text(
        "update mail set state = 0, lease_until = null where state = 1 and begun_token <> lease_token"
    )
    return db.execute(statement).rowcount


def sweep(db: Db) -> int:
    """Makes mails due again whose lease ended without an outcome; they may have left already."""
    statement = text(
        "update mail set state = 0, lease_until = null, due_at = refresher_now() "
        "where state = 1 and lease_until < refresher_now()"
    )
    return db.execute(statement).rowcount


def load(db: Db, mail_id: UUID, lease_token: int) -> Letter | None:
    """Returns a leased mail as it is stored now; None when the lease is not held or was begun."""
    row = db.execute(_LOAD, {"id": mail_id, "token": lease_token}).mappings().first()
    if row is None:
        return None
    ids = db.execute(
        text("select outbox_id from mail_entry where mail_id = :id"), {"id": mail_id}
    ).scalars()
    return Letter(**row, entries=tuple(outbox.find(db, list(ids))))


_LOAD = text(
    """
    select m.id, m.lease_token, m.form, m.attempt, s.pauses,
        extract(epoch from refresher_now() - m.created_at)::float8 as age_seconds,
        r.id as recipient_id, r.address, nullif(r.organization_id, '') as organization_id,
        o.name as organization_name, o.reconnect_url
    from mail m join recipient r on r.id = m.recipient_id
    join mail_slot s on s.name = 'mail'
    left join organization o on o.id = r.organization_id
    where m.id = :id and m.lease_token = :token and m.state = 1 and m.begun_token <> m.lease_token
    """
)


def begin(db: Db, letter: Letter, *, spacing_seconds: float) -> float | None:
    """Takes the slot and marks the mail as begun; returns how long to wait when the slot is taken.

    Returns None when it may leave now, and infinity when the lease is not ours any more. From the
    commit on, "begun and no outcome" means that it may have been sent.
    """
    slot = text(
        """
        update mail_slot set next_at = refresher_now() + :spacing * interval '1 second'
        where name = 'mail' and next_at <= refresher_now() returning 1
        """
    )
    if db.execute(slot, {"spacing": spacing_seconds}).first() is None:
        wait = text(
            "select extract(epoch from greatest(next_at, refresher_now()) - refresher_now())::float8 "
            "from mail_slot where name = 'mail'"
        )
        return float(db.execute(wait).scalar_one())
    mark = text(
        """
        update mail set begun_token = lease_token
        where id = :id and lease_token = :token and state = 1 and begun_token <> lease_token
        """
    )
    held = db.execute(mark, {"id": letter.id, "token": letter.lease_token}).rowcount == 1
    return None if held else float("inf")


def settle(db: Db, letter: Letter, decision: MailDecision) -> bool:
    """Writes what came of a mail, and marks exactly what it told; False when it is another's by now."""
    statement = text(
        """
        update mail set state = :state, attempt = :attempt, reason = :reason, lease_until = null,
            begun_token = 0, due_at = refresher_now() + :due_in * interval '1 second',
            ended_at = case when :state = 0 then null else refresher_now() end
        where id = :id and lease_token = :token and state = 1
        """
    )
    values = {
        "id": letter.id,
        "token": letter.lease_token,
        "state": {"due": 0, "sent": 2, "failed": 3}[decision.state],
        "attempt": decision.attempt,
        "reason": decision.reason,
        "due_in": decision.due_in_seconds,
    }
    held = db.execute(statement, values).rowcount == 1
    if held and decision.state == "sent":
        mark = "update mail_entry set delivered_at = refresher_now() where mail_id = :id"
        db.execute(text(mark), {"id": letter.id})
    if held and decision.blocks_address:
        _block(db, letter.recipient_id, decision.reason)
    _note_passage(db, decision)
    return held


def _block(db: Db, recipient_id: UUID, reason: str | None) -> None:
    statement = text(
        "update recipient set blocked_at = refresher_now(), blocked_reason = :reason where id = :id"
    )
    db.execute(statement, {"id": recipient_id, "reason": reason})
    rest = text(
        "update mail set state = 3, reason = :reason, ended_at = refresher_now() "
        "where recipient_id = :id and state = 0"
    )
    db.execute(rest, {"id": recipient_id, "reason": reason})


def _note_passage(db: Db, decision: MailDecision) -> None:
    """Has all mails wait when none goes out, and forgets that when one did."""
    if decision.pause_seconds is not None:
        statement = text(
            """
            update mail_slot set pauses = pauses + 1, reason = :reason,
                next_at = greatest(next_at, refresher_now() + :seconds * interval '1 second')
            where name = 'mail'
            """
        )
        values = {"reason": decision.reason, "seconds": decision.pause_seconds}
        db.execute(statement, values)
    else:
        db.execute(text("update mail_slot set pauses = 0, reason = null where pauses > 0"))


@dataclass(frozen=True, slots=True)
class Standing:
    """How the mails stand: for `doctor` and for people."""

    due: int
    under_way: int
    failed: int
    waiting: int
    pauses: int
    reason: str | None
    oldest_due_seconds: float | None
    last_failure: str | None


def standing(db: Db) -> Standing:
    """Returns counts, and why no mail goes out where none does."""
    statement = text(
        """
        select (select count(*) from mail where state = 0) as due,
            (select count(*) from mail where state = 1) as under_way,
            (select count(*) from mail where state = 3) as failed,
            (select count(*) from mail_entry where mail_id is null) as waiting,
            s.pauses, s.reason,
            (select extract(epoch from refresher_now() - min(due_at))::float8 from mail
             where state = 0) as oldest_due_seconds,
            (select reason from mail where state = 3 order by ended_at desc limit 1) as last_failure
        from mail_slot s where s.name = 'mail'
        """
    )
    return Standing(**db.execute(statement).mappings().one())


def forget_old(db: Db, *, days: float, limit: int = 5_000) -> int:
    """Deletes mails that were sent more than `days` ago; what failed is kept for people."""
    statement = text(
        "delete from mail where id in (select id from mail where state = 2 "
        "and created_at < refresher_now() - :days * interval '1 day' limit :limit)"
    )
    return db.execute(statement, {"days": days, "limit": limit}).rowcount
