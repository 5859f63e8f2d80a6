"""Marks claimed rows as begun: the mark is committed before a request leaves.

`start` marks and reads the many rows that nothing speaks against; `begin` marks those that were
reloaded and judged one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from refresher.rules.connection import Claim
from refresher.store import binary
from refresher.store.binary import bigints, instants
from refresher.store.db import Db
from refresher.store.reload import IN_TROUBLE, READ, WITH_APP, Reloaded, as_read
from refresher.store.schedule import arrays

_MAY_GO = """
    c.deleted_at is null and c.disabled_at is null and c.paused_at is null
    and not c.in_between_steps and c.status = 'active'
"""
# One statement for what reload and begin do in two. It leaves out all that the guard refuses but what
# the catalogue alone tells: such a row is parked, or put off, as one that was found out by trying.
_START = binary.statement(
    f"""
    update refresh_schedule s
    set begun_token = s.lease_token, begun_at = refresher_now(), holder_id = :holder_id,
        starts = least(s.starts + 1, 32000)
    from unnest(cast(:ids as uuid[]), cast(:tokens as bigint[])) u(id, token)
    join connection c on c.id = u.id
    {WITH_APP}
    where s.connection_id = u.id and s.lease_token = u.token and s.state + 0 = 1
      and s.begun_token <> s.lease_token
      and {_MAY_GO} and not {IN_TROUBLE}
      and (c.refresh_token is not null or c.access_token is not null)
      and (c.expires_at is not null or c.access_token is null)
      and (c.expires_at > refresher_now() or c.expires_at is null or not :stop_when_expired)
    returning {READ}
    """  # noqa: S608  our own column names
)


def start(
    db: Db, claims: Sequence[Claim], *, holder_id: UUID, stop_when_expired: bool
) -> list[Reloaded]:
    """Marks as begun what nothing speaks against, and returns those rows as they stand then.

    The others are untouched: stale, set aside, in trouble. What holds for `begin` holds here.
    """
    values = {**arrays(claims), "holder_id": holder_id, "stop_when_expired": stop_when_expired}
    return [as_read(row, marked=True) for row in binary.rows(db, _START, values)]


_BEGIN = binary.statement(
    f"""
    update refresh_schedule s
    set begun_token = s.lease_token, begun_at = u.reloaded_at, holder_id = :holder_id,
        starts = least(s.starts + (s.begun_token <> s.lease_token)::int, 32000)
    from unnest(cast(:ids as uuid[]), cast(:tokens as bigint[]), cast(:versions as bigint[]),
                cast(:reloaded_ats as timestamptz[])) u(id, token, version, reloaded_at)
    join connection c on c.id = u.id
    where s.connection_id = u.id and s.lease_token = u.token and s.state + 0 = 1
      and (s.begun_token <> s.lease_token
           or (:again and s.holder_id = :holder_id and s.begun_at = u.reloaded_at))
      and c.credential_version = u.version and {_MAY_GO}
    returning s.connection_id
    """  # noqa: S608  our own column names
)


def begin(db: Db, rows: Sequence[Reloaded], *, holder_id: UUID, again: bool = False) -> set[UUID]:
    """Marks these refreshes as begun, and returns the ids of those that may be sent.

    Two deliveries of one message cannot both pass. Nor can a row whose connection changed since the
    reload: the guard holds right up to the request. From here on, "begun and no outcome" means
    that the outcome is unknown. The mark touches no indexed column. `again` is for a commit of which
    nobody knows whether it took place: a mark that this very reload, or start, has set counts as ours.
    """
    values = {
        **arrays([row.claim for row in rows]),
        "versions": bigints(row.connection.credential_version for row in rows),
        "reloaded_ats": instants(row.now for row in rows),
        "holder_id": holder_id,
        "again": again,
    }
    return {row[0] for row in binary.rows(db, _BEGIN, values)}
