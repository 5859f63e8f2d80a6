"""The pauses as people see them: why, since when, until when, who was told; and their end by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from refresher.rules.faults import FaultScope, Sort
from refresher.store import waiting
from refresher.store.pauses import PauseSeen
from refresher.store.session import Db, many, run

MOST_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class PauseView:
    """A pause; `told` are connections that were told so, the newest last, 20 at most.

    `probing` tells that its time is over, and one row at a time tries. `organization_id` and `host` are
    None where it holds whoever they are of.
    """

    provider: str
    scope: Literal["provider", "app"]
    key: str
    sort: Literal["refused", "limited", "silent"]
    app: str | None
    host: str | None
    organization_id: str | None
    reason: str
    since: datetime
    until: datetime
    left_seconds: float
    probing: bool
    refusals: int
    probes: int
    told: list[str]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which pauses are meant: those of a provider, of one host or app of it if given."""

    provider: str | None = None
    host: str | None = None
    app_name: str | None = None
    scope: str | None = None


_COLUMNS = """
    select provider, scope, key, sort, app_name as app, host, organization_id, reason, since, until,
        greatest(0, extract(epoch from until - refresher_now()))::float8 as left_seconds,
        until <= refresher_now() as probing, refusals, probes,
        array(select w ->> 'grant' from jsonb_array_elements(witnesses) w) as told
    from pause
"""
_CHOSEN = """
    where (cast(:provider as text) is null or provider = :provider)
      and (cast(:host as text) is null or host = lower(:host)
           or starts_with(host, lower(:host) || '/'))
      and (cast(:app_name as text) is null or app_name = :app_name)
      and (cast(:scope as text) is null or scope = :scope)
"""
_HELD = f"{_COLUMNS} {_CHOSEN} and refusals > 0 order by provider, scope, key, sort limit :most"
_TOLD = (
    f"{_COLUMNS} where refusals = 0 and failures > 0 and sort = 'refused' and host is null "
    "and organization_id is null order by key limit :most"
)
_ANY = f"{_COLUMNS} {_CHOSEN} order by scope, key, sort"
_AMONG = (
    f"{_COLUMNS} join unnest(cast(:scopes as text[]), cast(:keys as text[])) u(s, k) "
    "on scope = u.s and key = u.k where refusals > 0 order by scope, key, sort"
)


def held(db: Db, chosen: Chosen | None = None) -> list[PauseView]:
    """Returns the pauses that stand, none that is mere evidence."""
    return many(db, PauseView, _HELD, **asdict(chosen or Chosen()), most=MOST_LISTED)


def refused_alone(db: Db) -> list[PauseView]:
    """Returns the apps that were refused to single connections since a success, and are not held."""
    return many(db, PauseView, _TOLD, most=MOST_LISTED)


def against(db: Db, scopes: Sequence[FaultScope]) -> list[PauseView]:
    """Returns the pauses that hold one connection, whose scopes these are."""
    return many(
        db, PauseView, _AMONG, scopes=[s.family for s in scopes], keys=[s.key for s in scopes]
    )


def end(db: Db, chosen: Chosen) -> list[PauseView]:
    """Ends pauses by hand, forgets the evidence, has all that waited tried; returns the pauses."""
    found = many(db, PauseView, _ANY, **asdict(chosen))
    seen = [
        PauseSeen(p.scope, p.key, p.left_seconds, p.refusals, Sort(p.sort), frozenset(p.told))
        for p in found
    ]
    waiting.end(db, seen, proven=False, own=True)
    return [p for p in found if p.refusals]


_PROBE = """
    update pause set until = least(until, refresher_now()), again_at = least(again_at, refresher_now())
    where refusals > 0 and provider = :provider
    returning scope || ':' || key
    """
_FIRST = """
    update refresh_schedule set due_at = refresher_now() where connection_id in (
        select first.connection_id from unnest(cast(:names as text[])) held(name)
        cross join lateral (
            select s.connection_id from refresh_schedule s
            where s.state = 0 and s.waits_for = held.name order by s.due_at limit 1) first)
      and state = 0 and due_at > refresher_now()
    """


def probe_now(db: Db, provider: str) -> list[str]:
    """Has one row try now behind each pause of a provider; returns the pauses' names.

    The others wait on: if it is refreshed the pause ends, and they go on; if not, it lasts. Where no
    row waits yet, whoever is due next tries.
    """
    names = sorted(set(run(db, _PROBE, provider=provider).scalars()))
    run(db, _FIRST, names=names[:MOST_LISTED])
    return names
