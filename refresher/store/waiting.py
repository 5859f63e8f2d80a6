"""Rows that wait for the end of somebody's trouble: when it ends they go first, dead tokens before all.

A row waits for a scope (`waits_for`) because that is paused, or in a backoff of its own after trouble
that passes there. Who ends the pause, or the evidence, has them brought forward: so many at a time,
spread, and found by an index in which rows that are refreshed as planned never stand.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from refresher.rules.faults import Sort, asked_of
from refresher.rules.notices import NewsState
from refresher.store import notices
from refresher.store.events import Event, append
from refresher.store.notices import Change
from refresher.store.pauses import PauseSeen
from refresher.store.session import Db, many, run

MOST_AT_ONCE = 2_000
SPREAD_SECONDS = 5.0
"""Over so long those are spread: at most 400 a second knock at a host that has just come back."""
LEAST_SHARE = 1 / 16
"""A row in a backoff of its own still waits this share of it.

Its trouble may be its own after all: a success of others must not make it be asked as often as they
are.
"""
_ENDED = """
    delete from pause p using unnest(cast(:scopes as text[]), cast(:keys as text[]),
        cast(:sorts as text[]), cast(:refusals as int[])) u(scope, key, sort, refusals)
    where p.scope = u.scope and p.key = u.key and p.sort = u.sort and p.refusals <= u.refusals
      and (p.refusals > 0 or p.failures > 0 or p.again_at <= refresher_now())
    returning p.scope, p.key, p.sort, p.refusals, p.provider, p.app_name, p.failures
    """
_PULL = """
    with waiting as materialized (
        select connection_id from refresh_schedule
        where state = 0 and waits_for = :by and (:own or postponed_by is not null)
          and due_at > refresher_now() + :spread * interval '1 second'
        order by due_at limit :most for update skip locked
    ), ranked as (
        select c.id, (row_number() over (order by c.expires_at > refresher_now(), c.expires_at, c.id)
                      - 1) / count(*) over ()::float8 as place
        from waiting w join connection c on c.id = w.connection_id
    )
    update refresh_schedule s
    set postponed_by = null, waits_for = null,
        due_at = least(s.due_at, greatest(
            refresher_now() + :spread * r.place * interval '1 second',
            case when s.postponed_by is null and s.attempt > 0
                 then s.claimed_at + :share * (s.due_at - s.claimed_at) end))
    from ranked r where s.connection_id = r.id and s.state + 0 = 0
    returning s.connection_id
    """
_REST = """
    insert into pause (scope, key, sort, provider, app_name, until, reason, again_at)
    values (:scope, :key, :sort, :provider, :app_name, refresher_now(), 'over; rows that waited go on',
            refresher_now() + :spread * interval '1 second')
    on conflict do nothing
    """


_STANDING = """
    select p.scope || ':' || p.key
    from unnest(cast(:scopes as text[]), cast(:keys as text[])) u(scope, key)
    join pause p on p.scope = u.scope and p.key = u.key
    where p.refusals > 0 order by p.scope, p.key, p.sort for key share of p
    """


def end(db: Db, seen: Sequence[PauseSeen], *, proven: bool = True, own: bool = False) -> list[str]:
    """Ends what was seen, and has those tried who waited for it; returns the names of the pauses.

    A pause that began since is another. With `own`, rows in a backoff of their own are tried at once as
    well: a person knows better. Operators hear at once that an app works again, or, unless a refresh
    has `proven` it, a while later.
    """
    if not seen:
        return []
    ordered = sorted(seen, key=lambda p: (p.scope, p.key, p.sort))
    over: list[str] = []
    for row in run(
        db,
        _ENDED,
        scopes=[p.scope for p in ordered],
        keys=[p.key for p in ordered],
        sorts=[p.sort for p in ordered],
        refusals=[p.refusals for p in ordered],
    ).all():
        name = f"{row.scope}:{row.key}"
        over += [name] if row.refusals else []
        if row.scope == "app" and (row.refusals or row.failures):
            key = f"{row.provider}/{row.app_name}"
            notices.record(db, [Change(("app", key), NewsState.WELL, proven=proven)])
        moved = _pull_all(db, name, own=own, silent=row.sort == Sort.SILENT)
        if len(moved) == MOST_AT_ONCE:
            run(db, _REST, **row._asdict(), spread=SPREAD_SECONDS)
    return over


def _pull_all(db: Db, name: str, *, own: bool, silent: bool) -> list[UUID]:
    if own:
        pull(db, asked_of(name), own=True, share=0.0)
    return pull(db, name, own=own or silent, share=0.0 if own else LEAST_SHARE)


def pull(db: Db, name: str, *, own: bool, share: float = LEAST_SHARE) -> list[UUID]:
    """Brings rows forward that wait for a scope, expired tokens first; returns which."""
    moved = many(
        db, UUID, _PULL, by=name, own=own, most=MOST_AT_ONCE, spread=SPREAD_SECONDS, share=share
    )
    append(db, [Event(id_, "resumed", reason=f"{name} is well again") for id_ in sorted(moved)])
    return moved


def let_go(db: Db, names: Collection[str]) -> None:
    """Brings those forward who were just told to wait for one of these, where it has ended meanwhile.

    Whoever ends a pause sees only rows that wait already. One that was reloaded before is written
    afterwards: so who writes it looks again, and a pause that stands does not end before the commit.
    """
    if not names:
        return
    parts = [name.partition(":") for name in sorted(names)]
    standing = set(
        many(db, str, _STANDING, scopes=[p[0] for p in parts], keys=[p[2] for p in parts])
    )
    for name in sorted(set(names) - standing):
        pull(db, name, own=False)


def take_in(db: Db, name: str, grants: Sequence[str]) -> None:
    """Has the grants that a pause follows from wait for its end, whatever wait they were told.

    Each of them has an event of it: `inspect --at` tells a row by its last event.
    """
    sql = (
        "update refresh_schedule set postponed_by = :name, waits_for = :name "
        "where state = 0 and connection_id = any(cast(:grants as uuid[])) "
        "and postponed_by is distinct from :name returning connection_id"
    )
    taken = run(db, sql, name=name, grants=sorted(grants)).scalars()
    append(db, [Event(id_, "postponed") for id_ in sorted(taken)])
