"""The tables `mail` and `mail_entry`: what each recipient is told, in which mail, and how it went.

            claim                begin (takes the slot)         settle
    due ─────────────▶ leased ───────────────────────▶ begun ──────────▶ sent
     ▲                  │                                │ ├── deferred ─▶ due (later)
     └──────────────────┴── release, sweep by lease ─────┘ └── refused ──▶ failed

A mail gains no entries once it is made (it loses those that are over), so each try has the same
Message-ID. `mail_slot` holds when the next mail may leave; `begin` takes it in the moment of leaving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from refresher.rules.mails import MailDecision
from refresher.store import outbox
from refresher.store.leases import Claimed, Lease
from refresher.store.outbox import OutboxEntry
from refresher.store.session import Db, many, one, run

MOST_BUSY = 4
"""How many mails may be under way at once: a mail server that hangs holds no more threads."""
SOON_SECONDS = 0.05
"""When to ask again while a mail is on its way to a worker."""
Form = Literal["plain", "digest"]


@dataclass(frozen=True, slots=True)
class LeasedMail:
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
    entries: tuple[OutboxEntry, ...]


def claim(db: Db, *, lease_seconds: float, spacing_seconds: float) -> Claimed:
    """Leases the mail whose turn it is, when one may leave.

    Organizations take turns, the one that waits longest for its turn first; of its mails, that which is
    due longest. Who has many mails to send holds up its own. At most one is on its way to a worker at
    any time, so that they do not bunch before the slot.
    """
    slot = run(db, _SLOT).one()
    if slot.due is None:
        return Claimed((), None)
    if (wait := max(slot.wait, slot.due)) > 0:
        return Claimed((), wait)
    if slot.on_its_way or slot.busy >= MOST_BUSY:
        return Claimed((), SOON_SECONDS)
    row = run(db, _CLAIM, lease_seconds=lease_seconds).first()
    return Claimed([[Lease(*row)]], spacing_seconds) if row else Claimed((), SOON_SECONDS)


_WAIT = "cast(extract(epoch from greatest(next_at, refresher_now()) - refresher_now()) as float8)"
_SLOT = f"""
    select {_WAIT} as wait, (select count(*) from mail where state = 1) as busy,
        exists (select 1 from mail where state = 1 and begun_token <> lease_token) as on_its_way,
        (select cast(extract(epoch from min(due_at) - refresher_now()) as float8) from mail
         where state = 0) as due
    from mail_slot where name = 'mail'
    """  # noqa: S608  our own words
_CLAIM = """
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


def sweep(db: Db) -> Sequence[bool]:
    """Makes mails due whose lease ended without an outcome; returns of each whether it had begun."""
    sql = (
        "update mail set state = 0, lease_until = null, due_at = refresher_now() "
        "where state = 1 and lease_until < refresher_now() returning begun_token = lease_token"
    )
    return many(db, bool, sql)


def load(db: Db, lease: Lease) -> tuple[LeasedMail, datetime] | None:
    """Returns a leased mail as it is stored now, and when that is; locked until the transaction ends.

    None when the lease is not held, or was begun.
    """
    row = run(db, _LOAD, id=lease.id, token=lease.lease_token).mappings().first()
    if row is None:
        return None
    facts: dict[str, Any] = {**row}
    told = many(db, UUID, "select outbox_id from mail_entry where mail_id = :id", id=lease.id)
    now: datetime = facts.pop("now")
    return LeasedMail(**facts, entries=tuple(outbox.find(db, told))), now


_LOAD = """
    select m.id, m.lease_token, m.form, m.attempt, s.pauses, refresher_now() as now,
        extract(epoch from refresher_now() - m.created_at)::float8 as age_seconds,
        r.id as recipient_id, r.address, nullif(r.organization_id, '') as organization_id,
        o.name as organization_name, o.reconnect_url
    from mail m join recipient r on r.id = m.recipient_id
    join mail_slot s on s.name = 'mail'
    left join organization o on o.id = r.organization_id
    where m.id = :id and m.lease_token = :token and m.state = 1 and m.begun_token <> m.lease_token
    for update of m
    """


def begin(db: Db, mail: LeasedMail, *, spacing_seconds: float) -> float:
    """Takes the slot and marks the loaded mail as begun; returns how long to wait when it is taken.

    From the commit on, "begun and no outcome" means that it may have been sent.
    """
    slot = """
        update mail_slot set next_at = refresher_now() + :spacing * interval '1 second'
        where name = 'mail' and next_at <= refresher_now()
        """
    if run(db, slot, spacing=spacing_seconds).rowcount == 0:
        return one(db, float, f"select {_WAIT} from mail_slot where name = 'mail'")  # noqa: S608  our own words
    run(db, "update mail set begun_token = lease_token where id = :id", id=mail.id)
    return 0.0


def delete(db: Db, mail: LeasedMail) -> None:
    """Deletes a loaded mail that has nothing left to tell."""
    run(db, "delete from mail where id = :id", id=mail.id)


def settle(db: Db, mail: LeasedMail, decision: MailDecision) -> bool:
    """Writes what came of a mail, and marks exactly what it told; False when it is another's by now."""
    sql = """
        update mail set state = :state, attempt = :attempt, reason = :reason, lease_until = null,
            begun_token = 0, due_at = refresher_now() + :due_in * interval '1 second',
            ended_at = case when :state = 0 then null else refresher_now() end
        where id = :id and lease_token = :token and state = 1
        """
    written = run(
        db,
        sql,
        id=mail.id,
        token=mail.lease_token,
        state={"due": 0, "sent": 2, "failed": 3}[decision.state],
        attempt=decision.attempt,
        reason=decision.reason,
        due_in=decision.due_in_seconds,
    )
    held = written.rowcount == 1
    if held and decision.state == "sent":
        mark = "update mail_entry set delivered_at = refresher_now() where mail_id = :id"
        run(db, mark, id=mail.id)
    if held and decision.blocks_address:
        _block(db, mail.recipient_id, decision.reason)
    _note_passage(db, decision)
    return held


def _block(db: Db, recipient_id: UUID, reason: str | None) -> None:
    sql = (
        "update recipient set blocked_at = refresher_now(), blocked_reason = :reason where id = :id"
    )
    run(db, sql, id=recipient_id, reason=reason)
    rest = (
        "update mail set state = 3, reason = :reason, ended_at = refresher_now() "
        "where recipient_id = :id and state = 0"
    )
    run(db, rest, id=recipient_id, reason=reason)


def _note_passage(db: Db, decision: MailDecision) -> None:
    """Has all mails wait when none goes out, and forgets that when one did."""
    if decision.pause_seconds is not None:
        sql = """
            update mail_slot set pauses = pauses + 1, reason = :reason,
                next_at = greatest(next_at, refresher_now() + :seconds * interval '1 second')
            where name = 'mail'
            """
        run(db, sql, reason=decision.reason, seconds=decision.pause_seconds)
    else:
        run(db, "update mail_slot set pauses = 0, reason = null where pauses > 0")


@dataclass(frozen=True, slots=True)
class MailStanding:
    """How the mails stand: for `doctor` and for people."""

    due: int
    under_way: int
    failed: int
    waiting: int
    pauses: int
    reason: str | None
    oldest_due_seconds: float | None
    last_failure: str | None


def standing(db: Db) -> MailStanding:
    """Returns counts, and why no mail goes out where none does."""
    sql = """
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
    return one(db, MailStanding, sql)


def forget_old(db: Db, *, days: float, limit: int = 5_000) -> int:
    """Deletes mails that were sent more than `days` ago; what failed is kept for people."""
    sql = (
        "delete from mail where id in (select id from mail where state = 2 "
        "and created_at < refresher_now() - :days * interval '1 day' limit :limit)"
    )
    return run(db, sql, days=days, limit=limit).rowcount
