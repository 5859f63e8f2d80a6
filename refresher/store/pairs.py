"""Stores fresh pairs: by themselves, or with the schedule row and the event in one statement.

Almost every settlement is a plain one: refreshed, with nothing to tell beside it. For those `finish`
does what `settlement.py` does in three statements, and asks nothing of the tables twice. What it does
not get done, because somebody came in between, goes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from refresher.rules.connection import SealedLife
from refresher.store import binary
from refresher.store.binary import bigints, byteas, doubles, instants, texts, uuids
from refresher.store.db import Db
from refresher.store.events import AFTERWARDS, as_text

if TYPE_CHECKING:
    from refresher.store.settlement import Settlement

_PAIR = """
    access_token = coalesce(u.access_token, c.access_token),
    refresh_token = coalesce(u.refresh_token, c.refresh_token),
    credential_version = c.credential_version + 1,
    issued_at = case when u.left_seconds is null then c.issued_at else refresher_now() end,
    expires_at = coalesce(refresher_now() + u.left_seconds * interval '1 second', c.expires_at),
    lifetime_seconds = coalesce(u.lifetime_seconds, c.lifetime_seconds),
    refresh_token_expires_at = least(c.grant_ends_at,
        case when u.forgets_end = 1 then null else coalesce(
            refresher_now() + u.refresh_token_left_seconds * interval '1 second',
            c.refresh_token_expires_at) end),
    granted_scopes = coalesce(string_to_array(u.scopes, ' '), c.granted_scopes),
    kept_fields = coalesce(coalesce(c.kept_fields, '{}') || u.kept_fields::jsonb, c.kept_fields),
    kept_secrets = coalesce(u.kept_secrets, c.kept_secrets),
    status = 'active', status_cause = null, updated_at = refresher_now()
"""
_GIVEN = """
    cast(:ids as uuid[]), cast(:versions as bigint[]), cast(:access_tokens as bytea[]),
    cast(:refresh_tokens as bytea[]), cast(:lifetimes as float8[]), cast(:lefts as float8[]),
    cast(:refresh_lefts as float8[]), cast(:scopes as text[]), cast(:kept_fields as text[]),
    cast(:kept_secrets as bytea[]), cast(:forgets_ends as int[])
"""
_NAMES = """
    id, version, access_token, refresh_token, lifetime_seconds, left_seconds,
    refresh_token_left_seconds, scopes, kept_fields, kept_secrets, forgets_end
"""
_HEALED = "c.trouble is not null and u.left_seconds > 0"
_STORE = binary.statement(
    f"""
    update connection c set {_PAIR}
    from unnest({_GIVEN}) u({_NAMES})
    where c.id = u.id and c.credential_version = u.version
    returning c.id, {_HEALED}
    """  # noqa: S608  our own column names
)


def store(db: Db, todo: Sequence[Settlement]) -> tuple[set[UUID], list[UUID]]:
    """Returns whose pair was stored, and who of them was in trouble that this ends."""
    if not todo:
        return set(), []
    rows = binary.rows(db, _STORE, _pairs(todo))
    return {row[0] for row in rows}, [row[0] for row in rows if row[1]]


def is_plain(s: Settlement) -> bool:
    """Whether `finish` writes all there is to write of it."""
    return (
        s.kind == "refreshed"
        and s.new is not None
        and s.new.grant_left_seconds is None
        and s.attempt == s.unknown_outcomes == 0
        and s.due_in_seconds is not None
        and s.reason is s.waits_for is s.postponed_by is None
        and s.kept is None
        and not s.end_is_news
    )


# A row that is not as it was is left out by each step; so only what went through all of them is told.
# Who did not is named only where somebody is missing: a join of the two is a loop in a loop.
_FINISH = binary.statement(
    f"""
    with stored as (
        update connection c set {_PAIR}
        from unnest({_GIVEN}, cast(:tokens as bigint[]), cast(:due_ins as float8[]),
            cast(:http_statuses as smallint[]), cast(:elapseds as float8[]),
            cast(:latenesses as float8[]), cast(:expireds as float8[]),
            cast(:claimed_ats as timestamptz[]), cast(:begun_ats as timestamptz[]),
            cast(:lease_untils as timestamptz[]), cast(:exchanges as real[]),
            cast(:recordeds as text[])
        ) u({_NAMES}, token, due_in, http_status, elapsed_seconds, lateness_seconds, expired_seconds,
            claimed_at, begun_at, lease_until, exchange_seconds, recorded)
        where c.id = u.id and c.credential_version = u.version
        returning c.id, {_HEALED} as healed, u.version, u.token, u.due_in, u.http_status,
            u.elapsed_seconds, u.lateness_seconds, u.expired_seconds, u.claimed_at, u.begun_at,
            u.lease_until, u.exchange_seconds, u.recorded, c.credential_version, c.grant_number,
            c.status, c.status_cause, c.expires_at, c.lifetime_seconds, c.refresh_token_expires_at,
            c.paused_at, c.disabled_at, c.deleted_at, c.in_between_steps
    ), moved as (
        update refresh_schedule s set
            state = 0, due_at = refresher_now() + t.due_in * interval '1 second',
            parked_reason = null, postponed_by = null, waits_for = null,
            attempt = 0, unknown_outcomes = 0, starts = 0,
            lease_until = null, holder_id = null, begun_token = 0, begun_at = null
        from stored t
        where s.connection_id = t.id and s.lease_token = t.token
          and (s.state + 0 = 1 or s.state + 0 = 2 and s.parked_reason = 'unstored')
        returning t.*, s.due_at
    ), told as (
        insert into refresh_event (connection_id, kind, lease_token, credential_version, attempt,
            http_status, elapsed_seconds, lateness_seconds, expired_seconds, claimed_at, begun_at,
            lease_until, exchange_seconds, recorded, {AFTERWARDS})
        select c.id, 'refreshed', c.token, c.version, 0, c.http_status, c.elapsed_seconds,
            c.lateness_seconds, c.expired_seconds, c.claimed_at, c.begun_at, c.lease_until,
            c.exchange_seconds, cast(c.recorded as jsonb),
            c.due_at, 0, null, null, 0, 0, 0, c.credential_version,
            c.grant_number, c.status, c.status_cause, c.expires_at, c.lifetime_seconds,
            c.refresh_token_expires_at, c.paused_at, c.disabled_at, c.deleted_at, c.in_between_steps
        from moved c
        returning connection_id
    ), done as (select count(*) as n from told)
    select array(select id from stored where healed),
        case when (select n from done) < :expected then array(select id from stored) end,
        case when (select n from done) < :expected then array(select connection_id from told) end
    """  # noqa: S608  our own column names
)


@dataclass(frozen=True, slots=True)
class Finished:
    """Whose pair was stored, who of them went through all, and who was in trouble that this ends."""

    stored: frozenset[UUID]
    told: frozenset[UUID]
    healed: list[UUID]


def finish(db: Db, plain: Sequence[Settlement]) -> Finished:
    """Stores the pairs, moves the rows and tells it, where nobody has come in between."""
    if not plain:
        return Finished(frozenset(), frozenset(), [])
    rows = [s.row for s in plain]
    values = _pairs(plain) | {
        "tokens": bigints([row.claim.lease_token for row in rows]),
        "due_ins": doubles([s.due_in_seconds for s in plain]),
        "http_statuses": bigints([s.http_status for s in plain]),
        "elapseds": doubles([s.elapsed_seconds for s in plain]),
        "latenesses": doubles([row.lateness_seconds for row in rows]),
        "expireds": doubles([s.expired_seconds for s in plain]),
        "claimed_ats": instants([row.claimed_at for row in rows]),
        "begun_ats": instants([s.begun_at for s in plain]),
        "lease_untils": instants([row.lease_until for row in rows]),
        "exchanges": doubles([s.exchange_seconds for s in plain]),
        "recordeds": texts([as_text(s.recorded) for s in plain]),
        "expected": len(plain),
    }
    ((healed, stored, told),) = binary.rows(db, _FINISH, values)
    if told is None:
        everybody = frozenset([s.id for s in plain])
        return Finished(everybody, everybody, healed)
    return Finished(frozenset(stored), frozenset(told), healed)


def _pairs(todo: Sequence[Settlement]) -> dict[str, object]:
    lives: list[SealedLife] = [s.new for s in todo if s.new]
    return {
        "ids": uuids([s.id for s in todo]),
        "versions": bigints([s.row.connection.credential_version for s in todo]),
        "access_tokens": byteas([n.access_token for n in lives]),
        "refresh_tokens": byteas([n.refresh_token for n in lives]),
        "lifetimes": doubles([n.lifetime_seconds for n in lives]),
        "lefts": doubles([n.left_seconds for n in lives]),
        "refresh_lefts": doubles([n.refresh_token_left_seconds for n in lives]),
        "scopes": texts([" ".join(n.scopes) if n.scopes else None for n in lives]),
        "kept_fields": texts([n.kept_fields for n in lives]),
        "kept_secrets": byteas([n.kept_secrets for n in lives]),
        "forgets_ends": bigints([int(n.forgets_end) for n in lives]),
    }
