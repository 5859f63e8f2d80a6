"""Reads claimed rows as they are stored now: schedule, connection and app in one statement.

What a message or a claim remembers does not count; this does. No decision is taken here: the rows go
to `rules/guards.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from refresher.rules.connection import App, Claim, Connection, Sealed, Status, value
from refresher.store import binary
from refresher.store.binary import bigints, uuids
from refresher.store.db import Db
from refresher.store.pauses import PauseSeen

Columns = dict[str, Any]
_STATUS = {str(status): status for status in Status}


@value
class Reloaded:
    """A claimed row as it is stored now, with the database's clock at that moment.

    `left_seconds` is the life of the access token that remains (negative: expired), None when no
    expiry is known. `begun` tells that this very claim was begun already: a second delivery; `marked`
    that the statement which read it has begun it. `pauses` is what stands against its scopes; it is
    read only where `in_trouble` tells that its provider has any.
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
    marked: bool = False


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


# "between", not "=": where one provider has all the pauses, statistics promise a match in the first
# row, and each row of every other provider would read the whole table for none.
IN_TROUBLE = "exists (select 1 from pause p where p.provider between c.provider and c.provider)"
READ = """
    s.connection_id, s.lease_token, s.attempt, s.unknown_outcomes, refresher_now(),
    date_part('epoch', refresher_now() - s.due_at),
    date_part('epoch', s.lease_until - refresher_now()),
    date_part('epoch', c.expires_at - refresher_now()),
    date_part('epoch', c.refresh_token_expires_at - refresher_now()),
    s.waits_for, s.claimed_at, s.lease_until,
    c.organization_id, c.provider, c.external_id, c.credential_version, c.grant_number, c.status,
    c.access_token, c.refresh_token, c.expires_at, c.issued_at, c.lifetime_seconds,
    c.refresh_token_expires_at, c.host, c.placeholders, c.scopes, c.in_between_steps,
    c.disabled_at is not null, c.paused_at is not null, c.deleted_at is not null, c.app_name,
    a.id, a.client_id, a.client_secret, a.material
"""
"""What is read of a row, in the order in which `as_read` takes it: half as dear as by name."""
WITH_APP = "left join app a on a.provider = c.provider and a.name = c.app_name"
_RELOAD = binary.statement(
    f"""
    select s.begun_token = s.lease_token, {IN_TROUBLE}, {READ}
    from unnest(cast(:ids as uuid[]), cast(:tokens as bigint[])) u(id, token)
    join refresh_schedule s
      on s.connection_id = u.id and s.lease_token = u.token and s.state + 0 = 1
    join connection c on c.id = s.connection_id
    {WITH_APP}
    """  # noqa: S608  our own column names
)


def reload(db: Db, claims: Sequence[Claim]) -> list[Reloaded]:
    """Returns the stored rows of those claims that are still held; the others are stale."""
    values = {
        "ids": uuids(claim.connection_id for claim in claims),
        "tokens": bigints(claim.lease_token for claim in claims),
    }
    return [
        as_read(read, begun=begun, in_trouble=in_trouble)
        for begun, in_trouble, *read in binary.rows(db, _RELOAD, values)
    ]


def as_read(
    read: Sequence[Any], *, begun: bool = False, in_trouble: bool = False, marked: bool = False
) -> Reloaded:
    """Returns the row whose columns `READ` are these."""
    (
        id_, token, attempt, unknown_outcomes, now, late, lease_left, left, refresh_left,
        waits_for, claimed_at, lease_until,
        organization_id, provider, external_id, version, grant, status,
        access_token, refresh_token, expires_at, issued_at, lifetime,
        refresh_token_expires_at, host, placeholders, scopes, in_between_steps,
        disabled, paused, deleted, app_name,
        app_id, client_id, client_secret, material,
    ) = read  # fmt: skip
    app = App(app_id, client_id, client_secret, material) if app_id else None
    connection = Connection(
        id_, organization_id, provider, external_id, version, grant, _STATUS[status],
        access_token, refresh_token, expires_at, issued_at, lifetime, refresh_token_expires_at,
        host, placeholders, tuple(scopes), in_between_steps, disabled, paused, deleted, app_name, app,
    )  # fmt: skip
    return Reloaded(
        Claim(id_, token), connection, now, attempt, unknown_outcomes, begun, late or 0.0, lease_left,
        left, refresh_left, (), in_trouble, waits_for, claimed_at, lease_until, marked,
    )  # fmt: skip


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
