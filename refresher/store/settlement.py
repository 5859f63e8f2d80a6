"""Writes what came of refreshes, many at a time, in the caller's one transaction.

Tokens are guarded by the credential version, schedule rows by the lease token. So a late writer never
overwrites a newer pair, and a fresh pair is stored even when the row belongs to somebody else by
now. What could not be stored goes into quarantine, sealed: it may be the only live pair.
What is a fresh pair and nothing else goes in one statement (`pairs.py`), the others step by step. Rows
are written in the order of their ids: two writers seldom deadlock, and who does is tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from refresher.rules.connection import ParkReason, SealedLife, value
from refresher.rules.faults import Fault, Place
from refresher.store import answers, binary, grant_ends, notices, pairs, quarantine
from refresher.store.answers import KeptAnswer
from refresher.store.binary import bigints, doubles, texts, uuids
from refresher.store.db import Db
from refresher.store.events import Event
from refresher.store.events import append as append_events
from refresher.store.pairs import Finished
from refresher.store.reload import Reloaded

_LOST = ParkReason.LOST_ANSWER


@value
class Settlement:
    """The outcome of one refresh: what `rules/decision.py` decided, with the tokens sealed.

    `due_in_seconds` None parks the row with `park_reason`; `dead` ends the grant as well: `cause` says
    why in one word, `detail` in the provider's words. `recorded` is what a replay decides again from,
    `end_is_news` tells that the refresh token's own end must be watched from now on. `fault` may be
    true for others too, which `place` tells apart; `waits_for` is the scope whose success has the row
    tried at once.
    """

    row: Reloaded
    kind: str
    due_in_seconds: float | None
    attempt: int
    unknown_outcomes: int
    park_reason: str | None = None
    dead: bool = False
    new: SealedLife | None = None
    reason: str | None = None
    cause: str | None = None
    detail: str | None = None
    http_status: int | None = None
    elapsed_seconds: float | None = None
    postponed_by: str | None = None
    waits_for: str | None = None
    fault: Fault | None = None
    place: Place | None = None
    begun_at: datetime | None = None
    exchange_seconds: float | None = None
    recorded: Mapping[str, object] | None = None
    end_is_news: bool = False
    kept: KeptAnswer | None = None

    @property
    def id(self) -> UUID:
        """The connection's id."""
        return self.row.connection.id

    @property
    def expired_seconds(self) -> float | None:
        """How long the old access token was dead when this came; None when no end was known."""
        left = self.row.left_seconds
        return None if left is None else max(0.0, (self.elapsed_seconds or 0.0) - left)

    @property
    def is_irreplaceable(self) -> bool:
        """Whether it brings what may exist nowhere else: a pair, or an answer that may hold one."""
        return self.new is not None or (self.kept is not None and self.kept.looks_like_grant)


@dataclass(frozen=True, slots=True)
class Settled:
    """Which connections were written as meant, fenced off by a newer version, or healed."""

    written: frozenset[UUID]
    fenced: frozenset[UUID]
    adopted: frozenset[UUID]


def settle(db: Db, settlements: Iterable[Settlement], *, lead_share: float) -> Settled:
    """Writes tokens, ends dead grants, moves the schedule rows and appends one event each."""
    given = sorted(settlements, key=lambda s: s.id.int)
    finished = pairs.finish(db, [s for s in given if pairs.is_plain(s)])
    if len(finished.told) < len(given):
        return _settle_others(db, given, finished, lead_share)
    notices.mark_well(db, finished.healed)
    return Settled(finished.told, frozenset(), frozenset())


def _settle_others(
    db: Db, all_given: Sequence[Settlement], finished: Finished, lead_share: float
) -> Settled:
    """Writes, step by step, what is more than a fresh pair, or met somebody else's."""
    given = [s for s in all_given if s.id not in finished.told]
    moved = grant_ends.move(
        db, [s for s in given if s.new and s.new.grant_left_seconds is not None]
    )
    stored, healed = pairs.store(db, [s for s in given if s.new and s.id not in finished.stored])
    stored |= finished.stored - finished.told
    unsure = [s for s in given if s.id not in stored and s.is_irreplaceable]
    done = _stored_already(db, unsure)
    todo = grant_ends.naming_answers(db, [s for s in given if s.id not in done] if done else given)
    with_tokens = [s for s in todo if s.new]
    dead = [s for s in todo if s.dead]
    versions = [s.row.connection.credential_version for s in dead]
    adopted = quarantine.adopt(db, [s.id for s in dead], versions)
    ended = grant_ends.end_grants(db, [s for s in dead if s.id not in adopted])
    fenced = {s.id for s in with_tokens} - stored | ({s.id for s in dead} - ended - adopted)
    amiss = fenced | adopted
    meant = [s for s in todo if s.id not in amiss] if amiss else todo
    written = _move(db, meant)
    late = stored - written  # good, although their row is somebody else's by now
    if astray := amiss | late:
        _move_by_stored_life(db, [s for s in todo if s.id in astray], lead_share)
        orphans = [o for s in with_tokens if s.id in fenced and (o := quarantine.orphan(s))]
        quarantine.put(db, orphans)
    notices.mark_well(db, finished.healed + healed)
    notices.record(db, [grant_ends.ended(s) for s in dead if s.id in ended])
    answers.put(db, [s.kept for s in given if s.kept])
    notices.find_unread(
        db, {s.id: s.kept.id for s in meant if s.kept and grant_ends.is_held(s, written)}
    )
    notices.find_lost(db, [s.id for s in meant if s.park_reason == _LOST and s.id in written])
    fresh = [s.id for s in todo if (s.end_is_news or s.id in moved) and s.id in stored]
    grant_ends.watch(db, fresh)
    append_events(db, [_event(s, fenced, adopted) for s in todo])
    return Settled(finished.told | written | done, frozenset(fenced), frozenset(adopted))


def _stored_already(db: Db, todo: Sequence[Settlement]) -> set[UUID]:
    """Returns whose pair or answer an earlier try has stored, which committed without our knowing."""
    if not todo:
        return set()
    statement = text(
        """
        select c.id from unnest(cast(:ids as uuid[]), cast(:access_tokens as bytea[]))
            u(id, access_token)
        join connection c on c.id = u.id and c.access_token = u.access_token
        """
    )
    fresh = {s.id: s.new.access_token for s in todo if s.new}
    values = {"ids": list(fresh), "access_tokens": list(fresh.values())}
    found = set(db.execute(statement, values).scalars()) if fresh else set()
    return found | answers.stored(db, [s.kept for s in todo if s.kept and not s.new])


# "+ 0" keeps the planner off the small index of leased rows: statistics say that it is empty, so
# it would read all of them for each commit.
_MOVE = binary.statement(
    """
    update refresh_schedule s set
        state = case when u.due_in is null then 2 else 0 end,
        due_at = refresher_now() + u.due_in * interval '1 second',
        parked_reason = u.park_reason, postponed_by = u.postponed_by, waits_for = u.waits_for,
        attempt = u.attempt, unknown_outcomes = u.unknown_outcomes, starts = 0,
        lease_until = null, holder_id = null, begun_token = 0, begun_at = null
    from unnest(
        cast(:ids as uuid[]), cast(:tokens as bigint[]), cast(:due_ins as float8[]),
        cast(:park_reasons as text[]), cast(:postponed_bys as text[]), cast(:waits_fors as text[]),
        cast(:attempts as int[]), cast(:unknowns as int[])
    ) u(id, token, due_in, park_reason, postponed_by, waits_for, attempt, unknown_outcomes)
    where s.connection_id = u.id and s.lease_token = u.token
      and (s.state + 0 = 1 or s.state + 0 = 2 and s.parked_reason = 'unstored')
    returning s.connection_id
    """
)


def _move(db: Db, todo: Sequence[Settlement]) -> set[UUID]:
    if not todo:
        return set()
    values = {
        "ids": uuids(s.id for s in todo),
        "tokens": bigints(s.row.claim.lease_token for s in todo),
        "due_ins": doubles(s.due_in_seconds for s in todo),
        "park_reasons": texts(s.park_reason for s in todo),
        "postponed_bys": texts(s.postponed_by for s in todo),
        "waits_fors": texts(s.waits_for for s in todo),
        "attempts": bigints(s.attempt for s in todo),
        "unknowns": bigints(s.unknown_outcomes for s in todo),
    }
    return {row[0] for row in binary.rows(db, _MOVE, values)}


def _move_by_stored_life(db: Db, todo: Sequence[Settlement], lead_share: float) -> None:
    """Makes rows due by the pair that is stored now, which is not the one we were sent with.

    Ours, and one that was parked because the pair that was stored before was refused, or because
    Postgres refused this one.
    """
    if not todo:
        return
    statement = text(
        """
        update refresh_schedule s set
            state = 0, lease_until = null, holder_id = null, begun_token = 0, begun_at = null,
            starts = 0, parked_reason = null, due_at = greatest(refresher_now(), coalesce(
                c.expires_at - :lead_share * c.lifetime_seconds * interval '1 second',
                refresher_now()))
        from unnest(cast(:ids as uuid[]), cast(:tokens as bigint[])) u(id, token)
        join connection c on c.id = u.id
        where s.connection_id = u.id
          and (s.lease_token = u.token and s.state + 0 = 1
               or s.state + 0 = 2 and s.parked_reason in
                   ('reconnect_required', 'unread_answer', 'lost_answer')
                  and c.status = 'active'
               or s.state + 0 = 2 and s.parked_reason = 'unstored' and s.lease_token = u.token)
        """
    )
    db.execute(statement, {**_ids(todo), "lead_share": lead_share})


def _event(s: Settlement, fenced: set[UUID], adopted: set[UUID]) -> Event:
    kind = s.kind
    if fenced or adopted:  # an id's hash is dear
        kind = "fenced" if s.id in fenced else "adopted" if s.id in adopted else kind
    return Event(
        connection_id=s.id,
        kind=kind,
        lease_token=s.row.claim.lease_token,
        credential_version=s.row.connection.credential_version,
        attempt=s.attempt,
        http_status=s.http_status,
        elapsed_seconds=s.elapsed_seconds,
        lateness_seconds=s.row.lateness_seconds,
        expired_seconds=s.expired_seconds,
        reason=s.reason,
        claimed_at=s.row.claimed_at,
        begun_at=s.begun_at,
        lease_until=s.row.lease_until,
        exchange_seconds=s.exchange_seconds,
        recorded=s.recorded if kind == s.kind else {**(s.recorded or {}), "decided": s.kind},
    )


def _ids(todo: Sequence[Settlement]) -> dict[str, object]:
    return {
        "ids": [s.id for s in todo],
        "tokens": [s.row.claim.lease_token for s in todo],
        "versions": [s.row.connection.credential_version for s in todo],
    }
