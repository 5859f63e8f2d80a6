"""The table `pause`: what is known against providers, hosts and apps, and which of them is left alone.

A row is evidence (`refusals` 0: a grant was told so, nobody is held) or a pause. What the evidence
comes to is `rules/faults.py`'s to say. A claimed row that meets a pause moves to its end, spread, so
each row is touched once a pause and the claim's index stays on `due_at` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from refresher.rules.connection import value
from refresher.rules.faults import FORGET_SECONDS, Evidence, FaultScope, Sort, Weighed, Witness
from refresher.store.binary import bigints, doubles, texts
from refresher.store.session import Db, one, run

KEEP_SECONDS = 86_400.0
"""Evidence of which nothing was heard for so long is forgotten; the rules do so sooner."""
Key = tuple[str, str, Sort]


@value
class PauseSeen:
    """A row as it stood at a reload: only evidence while `refusals` is 0.

    `is_witness` tells that the grant which was reloaded was told so itself.
    """

    scope: str
    key: str
    left_seconds: float
    refusals: int
    sort: Sort = Sort.LIMITED
    witnesses: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What is held: `app:google/default`."""
        return f"{self.scope}:{self.key}"


@dataclass(frozen=True, slots=True)
class Written:
    """What is written of one scope: its evidence, the newest reason, and a pause if one follows.

    A pause that lasts may be doubted every `doubts_every_seconds`. `is_anew` forgets what was told
    before.
    """

    scope: FaultScope
    sort: Sort
    reason: str
    weighed: Weighed
    doubts_every_seconds: float | None = None
    is_anew: bool = False


_SEEN = """
    select p.scope, p.key, p.sort, p.refusals, p.witnesses,
        extract(epoch from p.until - refresher_now())::float8 as left_seconds
    from unnest(cast(:scopes as text[]), cast(:keys as text[])) u(scope, key)
    join pause p on p.scope = u.scope and p.key = u.key
    order by p.scope, p.key, p.sort
    """


def seen(db: Db, scopes: Iterable[FaultScope]) -> dict[str, list[PauseSeen]]:
    """Returns what stands against these scopes, by the scope's name."""
    wanted = sorted({(s.family, s.key) for s in scopes})
    found: dict[str, list[PauseSeen]] = {}
    for row in run(db, _SEEN, scopes=[w[0] for w in wanted], keys=[w[1] for w in wanted]):
        grants = frozenset(w["grant"] for w in row.witnesses)
        one = PauseSeen(row.scope, row.key, row.left_seconds, row.refusals, Sort(row.sort), grants)
        found.setdefault(one.name, []).append(one)
    return found


def take_probe(
    db: Db, pause: PauseSeen, *, hold_seconds: float, again_seconds: float | None
) -> bool:
    """Whether the caller is the one that may probe: moves the pause's end on in the same moment.

    The next one may in `again_seconds`, and not before the outcome is written, or `hold_seconds` are
    over.
    """
    sql = """
        update pause set probes = probes + 1,
            until = greatest(until, refresher_now() + :hold * interval '1 second'),
            again_at = refresher_now() + :every * interval '1 second'
        where scope = :scope and key = :key and sort = :sort and refusals > 0
          and again_at <= refresher_now() and (:early or until <= refresher_now())
        """
    return (
        run(
            db,
            sql,
            scope=pause.scope,
            key=pause.key,
            sort=pause.sort,
            hold=hold_seconds,
            every=again_seconds or 0.0,
            early=pause.left_seconds > 0,
        ).rowcount
        == 1
    )


_MAKE = """
    insert into pause (scope, key, sort, until, reason, provider, app_name, host, organization_id)
    select family, key, sort, refresher_now(), '', provider, app_name, host, organization_id
    from unnest(cast(:families as text[]), cast(:keys as text[]), cast(:sorts as text[]),
                cast(:providers as text[]), cast(:app_names as text[]), cast(:hosts as text[]),
                cast(:organization_ids as text[]))
        u(family, key, sort, provider, app_name, host, organization_id)
    order by family, key, sort on conflict do nothing
    """
_LOCK = """
    select p.scope, p.key, p.sort, p.refusals, p.failures, p.witnesses,
        extract(epoch from p.until - refresher_now())::float8 as left_seconds,
        extract(epoch from refresher_now() - p.told_at)::float8 as age_seconds
    from unnest(cast(:families as text[]), cast(:keys as text[]), cast(:sorts as text[]))
        u(scope, key, sort)
    join pause p on p.scope = u.scope and p.key = u.key and p.sort = u.sort
    order by p.scope, p.key, p.sort for no key update of p
    """


def locked(db: Db, wanted: Sequence[tuple[FaultScope, Sort]]) -> dict[Key, Evidence]:
    """Returns what is known against these scopes; nobody else writes there until the commit."""
    values = {
        "families": [s.family for s, _ in wanted],
        "keys": [s.key for s, _ in wanted],
        "sorts": [sort for _, sort in wanted],
        "providers": [s.provider for s, _ in wanted],
        "app_names": [s.app_name for s, _ in wanted],
        "hosts": [s.host for s, _ in wanted],
        "organization_ids": [s.organization_id for s, _ in wanted],
    }
    run(db, _MAKE, **values)
    named = {name: values[name] for name in ("families", "keys", "sorts")}
    return {
        (row.scope, row.key, Sort(row.sort)): Evidence(
            witnesses=tuple(Witness(**w) for w in row.witnesses),
            failures=row.failures,
            refusals=row.refusals,
            left_seconds=row.left_seconds,
            age_seconds=row.age_seconds,
        )
        for row in run(db, _LOCK, **named)
    }


_WRITE = """
    update pause p set witnesses = cast(u.witnesses as jsonb), failures = u.failures,
        refusals = u.refusals, reason = u.reason, told_at = refresher_now(),
        since = case when u.anew = 1 or p.told_at < refresher_now() - :forget * interval '1 second'
                     then refresher_now() else p.since end,
        until = coalesce(refresher_now() + u.pause * interval '1 second', p.until),
        again_at = case when u.pause > 0 then refresher_now()
            + least(u.pause, u.every) * interval '1 second' else p.again_at end
    from unnest(cast(:families as text[]), cast(:keys as text[]), cast(:sorts as text[]),
                cast(:witnesses as text[]), cast(:failures as int[]), cast(:refusals as int[]),
                cast(:reasons as text[]), cast(:pauses as float8[]), cast(:everies as float8[]),
                cast(:anews as int[]))
        u(family, key, sort, witnesses, failures, refusals, reason, pause, every, anew)
    where p.scope = u.family and p.key = u.key and p.sort = u.sort
    """


def write(db: Db, found: Sequence[Written]) -> None:
    """Writes evidence, and the pauses that follow from it."""
    run(
        db,
        _WRITE,
        families=texts(w.scope.family for w in found),
        keys=texts(w.scope.key for w in found),
        sorts=texts(w.sort for w in found),
        witnesses=texts(_as_json(w.weighed.evidence.witnesses) for w in found),
        failures=bigints(w.weighed.evidence.failures for w in found),
        refusals=bigints(w.weighed.evidence.refusals for w in found),
        reasons=texts(w.reason for w in found),
        pauses=doubles(w.weighed.pause_seconds for w in found),
        everies=doubles(w.doubts_every_seconds for w in found),
        anews=bigints(int(w.is_anew) for w in found),
        forget=FORGET_SECONDS,
    )


_LATELY = 5_000
_IN_SCOPE = """
    c.provider = :provider and (cast(:app_name as text) is null or c.app_name = :app_name)
    and (cast(:host as text) is null or lower(c.host) = split_part(:host, '/', 1)
         or exists (select 1 from jsonb_each_text(c.placeholders) p
                    where lower(p.value) = any(string_to_array(:host, '/'))))
    and (cast(:organization_id as text) is null or c.organization_id = :organization_id)
"""
_REFRESHED = f"""
    select exists (
        select 1 from (select connection_id, kind, occurred_at from refresh_event
                       order by id desc limit {_LATELY}) e
        join connection c on c.id = e.connection_id
        where e.kind = 'refreshed' and {_IN_SCOPE} and e.occurred_at >= (
            select since from pause where scope = :family and key = :key and sort = :sort))
    """  # noqa: S608  our own words
_OTHERS = f"""
    select exists (
        select 1 from (select * from connection
                       where provider = :provider limit {2 * _LATELY}) c
        where c.app_name = :app_name and c.root_id is null and c.deleted_at is null
          and c.disabled_at is null and c.paused_at is null and c.status = 'active'
          and case when :outside then not ({_IN_SCOPE})
                   else c.id <> all(cast(:grants as uuid[])) end)
    """  # noqa: S608  our own words


def was_refreshed(db: Db, scope: FaultScope, sort: Sort) -> bool:
    """Whether anybody of a scope was refreshed since the first word against it.

    Asked before a pause, not at each success: of the newest 5,000 events, so it costs the same always.
    """
    return one(db, bool, _REFRESHED, **_parts(scope), family=scope.family, key=scope.key, sort=sort)


def has_others(db: Db, scope: FaultScope, grants: Sequence[str] = ()) -> bool:
    """Whether an app has grants beside these, or, where none are given, outside of the scope.

    Looks at so many connections of its provider at most: an app that has others among more than 10,000
    is not alone for our purposes, or is told of once too often.
    """
    return one(db, bool, _OTHERS, **_parts(scope), outside=not grants, grants=list(grants))


def _parts(scope: FaultScope) -> dict[str, object]:
    return {
        "provider": scope.provider,
        "app_name": scope.app_name,
        "host": scope.host,
        "organization_id": scope.organization_id,
    }


def forget_old(db: Db) -> int:
    """Deletes evidence of which nothing was heard for a day."""
    sql = (
        "delete from pause where until <= refresher_now() "
        "and told_at < refresher_now() - :seconds * interval '1 second'"
    )
    return run(db, sql, seconds=KEEP_SECONDS).rowcount


def _as_json(witnesses: Sequence[Witness]) -> str:
    return json.dumps([_fields(w) for w in witnesses])


def _fields(witness: Witness) -> Mapping[str, object]:
    return asdict(witness)
