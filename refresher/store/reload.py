"""Reads claimed rows as they are stored now: schedule, connection and app in one statement.

What a message or a claim remembers does not count; this does. No decision is taken here: the rows go
to `rules/guards.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection as Db

from refresher.rules.connection import App, Claim, Connection, Sealed, Status, value
from refresher.store import binary
from refresher.store.binary import bigints, uuids
from refresher.store.pauses import PauseSeen

Columns = dict[str, Any]
_STATUS = {str(status): status for status in Status}


@value
class Reloaded:
    """A claimed row as it is stored now, with the database's clock at that moment.

    `left_seconds` is the life of the access token that remains (negative: expired), None when no
    expiry is known. `begun` tells that this very claim was begun already: a second delivery. `pauses`
    is what stands against its scopes; it is read only where `in_trouble` tells that its provider has
    any.
    """

    claim: Claim
    connection: Connection
    now: datetime
    attempt: int
    unknown_outcomes: int
    begun: bool
    lateness_seconds: float
    lease_left_seconds: float
    left_seconds: float | None
    refresh_token_left_seconds: float | None
    pauses: tuple[PauseSeen, ...] = ()
    in_trouble: bool = False
    waits_for: str | None = None
    claimed_at: datetime | None = None
    lease_until: datetime | None = None


# "between", not "=": where one provider has all the pauses, statistics promise a match in the first
# row, and each row of every other provider would read the whole table for none.
def remembered(
    claim: Claim,
    *,
    credential_version: int,
    grant_number: int,
    now: datetime,
    provider: str = "",
    lifetime_seconds: float | None = None,
) -> Reloaded:
    """Returns as much of a row as the fences need, for what was kept of a refresh that has ended."""
    connection = Connection(
        id=claim.connection_id,
        organization_id="",
        provider=provider,
        external_id="",
        credential_version=credential_version,
        grant_number=grant_number,
        status=Status.ACTIVE,
        access_token=None,
        refresh_token=None,
        expires_at=None,
        issued_at=None,
        lifetime_seconds=lifetime_seconds,
        refresh_token_expires_at=None,
    )
    return Reloaded(
        claim=claim,
        connection=connection,
        now=now,
        attempt=0,
        unknown_outcomes=0,
        begun=True,
        lateness_seconds=0.0,
        lease_left_seconds=0.0,
        left_seconds=None,
        refresh_token_left_seconds=None,
        pauses=(),
    )


_RELOAD = binary.statement(
    """
    select s.connection_id, s.lease_token, s.attempt, s.unknown_outcomes,
           s.begun_token = s.lease_token as begun, refresher_now() as now,
           s.claimed_at, s.lease_until,
           extract(epoch from refresher_now() - s.due_at)::float8 as lateness_seconds,
           extract(epoch from s.lease_until - refresher_now())::float8 as lease_left_seconds,
           extract(epoch from c.expires_at - refresher_now())::float8 as left_seconds,
           extract(epoch from c.refresh_token_expires_at - refresher_now())::float8
               as refresh_token_left_seconds,
           c.organization_id, c.provider, c.external_id, c.credential_version, c.grant_number,
           c.status, c.access_token, c.refresh_token, c.expires_at, c.issued_at,
           c.lifetime_seconds, c.refresh_token_expires_at, c.host, c.placeholders, c.app_name, c.scopes,
           c.in_between_steps,
           c.disabled_at is not null as disabled, c.paused_at is not null as paused,
           c.deleted_at is not null as deleted,
           a.id as app_id, a.client_id, a.client_secret, a.material,
           s.waits_for, exists (select 1 from pause p
                                where p.provider between c.provider and c.provider) as in_trouble
    from unnest(cast(:ids as uuid[]), cast(:tokens as bigint[])) u(id, token)
    join refresh_schedule s
      on s.connection_id = u.id and s.lease_token = u.token and s.state + 0 = 1
    join connection c on c.id = s.connection_id
    left join app a on a.provider = c.provider and a.name = c.app_name
    """
)


def reload(db: Db, claims: Sequence[Claim]) -> list[Reloaded]:
    """Returns the stored rows of those claims that are still held; the others are stale."""
    values = {
        "ids": uuids(claim.connection_id for claim in claims),
        "tokens": bigints(claim.lease_token for claim in claims),
    }
    found = binary.answer(db, _RELOAD, values)
    names = [column.name for column in found.description or ()]
    return [_reloaded(dict(zip(names, row, strict=True))) for row in found.fetchall()]


def _reloaded(r: Columns) -> Reloaded:
    return Reloaded(
        claim=Claim(r["connection_id"], r["lease_token"]),
        connection=connection_from(r),
        now=r["now"],
        attempt=r["attempt"],
        unknown_outcomes=r["unknown_outcomes"],
        begun=r["begun"],
        lateness_seconds=r["lateness_seconds"] or 0.0,
        lease_left_seconds=r["lease_left_seconds"],
        left_seconds=r["left_seconds"],
        refresh_token_left_seconds=r["refresh_token_left_seconds"],
        in_trouble=r["in_trouble"],
        waits_for=r["waits_for"],
        claimed_at=r["claimed_at"],
        lease_until=r["lease_until"],
    )


def connection_from(r: Columns) -> Connection:
    """Returns the connection, with its app, that stands in a row of these columns."""
    return Connection(
        id=r["connection_id"],
        organization_id=r["organization_id"],
        provider=r["provider"],
        external_id=r["external_id"],
        credential_version=r["credential_version"],
        grant_number=r["grant_number"],
        status=_STATUS[r["status"]],
        access_token=_sealed(r["access_token"]),
        refresh_token=_sealed(r["refresh_token"]),
        expires_at=r["expires_at"],
        issued_at=r["issued_at"],
        lifetime_seconds=r["lifetime_seconds"],
        refresh_token_expires_at=r["refresh_token_expires_at"],
        host=r["host"],
        placeholders=r["placeholders"],
        scopes=tuple(r["scopes"]),
        in_between_steps=r["in_between_steps"],
        disabled=r["disabled"],
        paused=r["paused"],
        deleted=r["deleted"],
        app_name=r["app_name"],
        app=_app(r) if r["app_id"] else None,
    )


def _app(r: Columns) -> App:
    return App(r["app_id"], r["client_id"], _sealed(r["client_secret"]), _sealed(r["material"]))


def _sealed(value: bytes | None) -> Sealed | None:
    return None if value is None else Sealed(bytes(value))
