"""Makes mails of news: plain ones at once, and digests of what has gathered.

How they leave is in `mails.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that one recipient is to be told; `mail_id` None joins the next digest."""

    recipient_id: UUID
    outbox_id: UUID
    mail_id: UUID | None


def recent(db: Db, recipients: Sequence[UUID], *, within_seconds: float) -> dict[UUID, int]:
    """Returns how many plain mails were made for each of these lately."""
    statement = text(
        """
        select recipient_id, count(*) from mail
        where recipient_id = any(cast(:ids as uuid[])) and form = 'plain'
          and created_at > refresher_now() - :within * interval '1 second'
        group by recipient_id
        """
    )
    rows = db.execute(statement, {"ids": list(recipients), "within": within_seconds})
    return {row[0]: row[1] for row in rows}


def plan(db: Db, planned: Sequence[Planned]) -> None:
    """Stores what recipients are to be told, and makes the mails that go at once."""
    if not planned:
        return
    plain = [p for p in planned if p.mail_id is not None]
    values = {"ids": [p.mail_id for p in plain], "recipients": [p.recipient_id for p in plain]}
    db.execute(_MAKE, values)
    entries = {
        "recipients": [p.recipient_id for p in planned],
        "outbox_ids": [p.outbox_id for p in planned],
        "mails": [p.mail_id for p in planned],
    }
    db.execute(_ENTRIES, entries)


_MAKE = text(
    """
    insert into mail (id, recipient_id, form, due_at)
    select id, recipient_id, 'plain', refresher_now()
    from unnest(cast(:ids as uuid[]), cast(:recipients as uuid[])) u(id, recipient_id)
    """
)
_ENTRIES = text(
    """
    insert into mail_entry (recipient_id, outbox_id, mail_id)
    select recipient_id, outbox_id, mail_id from unnest(
        cast(:recipients as uuid[]), cast(:outbox_ids as uuid[]), cast(:mails as uuid[]))
        u(recipient_id, outbox_id, mail_id)
    on conflict do nothing
    """
)


def waiting_for_digest(db: Db) -> Sequence[UUID]:
    """Returns recipients with something to tell and no digest under way, locked until the commit."""
    statement = text(
        """
        select r.id from recipient r
        where r.blocked_at is null
          and r.id in (select recipient_id from mail_entry where mail_id is null)
          and not exists (select 1 from mail m where m.recipient_id = r.id and m.form = 'digest'
                          and m.state in (0, 1))
        order by r.id for update of r skip locked
        """
    )
    return list(db.execute(statement).scalars())


def make_digests(db: Db, mails: Sequence[tuple[UUID, UUID]]) -> None:
    """Makes one digest for each (mail id, recipient), of exactly what waits for it now."""
    if not mails:
        return
    values = {"ids": [m for m, _ in mails], "recipients": [r for _, r in mails]}
    db.execute(
        text(
            """
            insert into mail (id, recipient_id, form, due_at)
            select id, recipient_id, 'digest', refresher_now()
            from unnest(cast(:ids as uuid[]), cast(:recipients as uuid[])) u(id, recipient_id)
            """
        ),
        values,
    )
    db.execute(
        text(
            """
            update mail_entry e set mail_id = u.id
            from unnest(cast(:ids as uuid[]), cast(:recipients as uuid[])) u(id, recipient_id)
            where e.recipient_id = u.recipient_id and e.mail_id is null
            """
        ),
        values,
    )
