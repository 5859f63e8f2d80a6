"""Who was told of one connection: its newest notices, with the messages and mails that tell them.

Reads only, by index: ten notices, and what was made of each, at most so many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from refresher.store.replays import STATES, DeliveryState
from refresher.store.session import Db, many, run

MOST_NOTICES = 10
MOST_OF_EACH = 20
MOST_MAILS = 100
MailState = Literal["digest", "waiting", "sent", "failed"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that was to be told."""

    id: UUID
    kind: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One message about a notice to one endpoint. `url` is where to, for people."""

    event_id: UUID
    endpoint_id: UUID
    url: str
    is_disabled: bool
    state: DeliveryState
    attempt: int
    http_status: int | None
    reason: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mails:
    """The mails about a notice in one state, to recipients of an organization ("": operators).

    `digest`: it waits for the next digest. `at` is when the last of them arrived, or failed.
    """

    event_id: UUID
    organization_id: str
    state: MailState
    count: int
    at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """A notice and what became of it."""

    notice: Notice
    messages: tuple[Message, ...]
    mails: tuple[Mails, ...]


_NOTICES = """
    select id, kind, occurred_at from (
        select o.id, o.kind, o.occurred_at from unnest(cast(:ids as uuid[])) u(id)
        cross join lateral (
            select * from outbox where connection_id = u.id order by sequence desc limit :most
        ) o
    ) o order by id desc limit :most
    """
_MESSAGES = """
    select d.event_id, e.id as endpoint_id, e.url, e.disabled_at is not null as is_disabled, d.state,
        d.attempt, d.http_status, d.reason, d.ended_at
    from unnest(cast(:ids as uuid[])) u(id)
    cross join lateral (
        select * from webhook_delivery where event_id = u.id limit :most
    ) d
    join webhook_endpoint e on e.id = d.endpoint_id
    where cast(:organization as text) is null or e.organization_id = :organization
    order by d.id
    """
_MAILS = """
    select event_id, organization_id, state, count(*) as count, max(at) as at, max(reason) as reason
    from unnest(cast(:ids as uuid[])) u(id)
    cross join lateral (
        select m.outbox_id as event_id, r.organization_id,
            case when m.mail_id is null then 'digest' when l.state = 2 then 'sent'
                when l.state = 3 then 'failed' else 'waiting' end as state,
            coalesce(m.delivered_at, l.ended_at) as at, l.reason
        from mail_entry m join recipient r on r.id = m.recipient_id
        left join mail l on l.id = m.mail_id
        where m.outbox_id = u.id limit :most
    ) m
    where cast(:organization as text) is null or organization_id = :organization
    group by 1, 2, 3 order by 1, 2, 3
    """


def told_about(
    db: Db, connection_ids: Sequence[UUID], organization_id: str | None = None
) -> list[Told]:
    """Returns the newest notices about a connection (and its root), the newest first.

    With `organization_id`, only that organization's endpoints and recipients are named.
    """
    notices = many(db, Notice, _NOTICES, ids=list(connection_ids), most=MOST_NOTICES)
    if not notices:
        return []
    values = {"ids": [notice.id for notice in notices], "organization": organization_id}
    rows = run(db, _MESSAGES, **values, most=MOST_OF_EACH).mappings()
    messages = [Message(**{**row, "state": STATES[row["state"]]}) for row in rows]
    mails = many(db, Mails, _MAILS, **values, most=MOST_MAILS)
    return [
        Told(
            notice,
            tuple(m for m in messages if m.event_id == notice.id),
            tuple(m for m in mails if m.event_id == notice.id),
        )
        for notice in notices
    ]
