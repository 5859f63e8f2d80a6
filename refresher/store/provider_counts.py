"""How many connections each provider has: exact where they are few, else as the planner estimates.

No look reads more than 10,001 rows of a provider, nor of so many providers together that it would take
long: of the others the planner's statistics tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from refresher.store.gauges import MOST_COUNTED
from refresher.store.session import Db, run

MANY = 20_000
"""What the planner takes to be more than this is not counted."""
MOST_READ = 10_000
"""So many rows of all providers together are read at most, as far as the planner knows."""


@dataclass(frozen=True, slots=True)
class ProviderCount:
    """A number of connections; `is_about`: an estimate, or what there is at least."""

    number: int
    is_about: bool


_ESTIMATES = """
    select v.provider, v.share * greatest(t.reltuples, 0) as number
    from pg_class t
    join pg_stats s on s.schemaname = t.relnamespace::regnamespace::text
        and s.tablename = t.relname and s.attname = 'provider'
    cross join lateral unnest(cast(cast(s.most_common_vals as text) as text[]), s.most_common_freqs)
        v(provider, share)
    where t.oid = 'connection'::regclass
    """
# The order is that of an index: without it the planner may read the table for the first 10,001 rows.
# The first so many count, and of them those that live.
_COUNTS = """
    select p.name, c.number, c.looked
    from unnest(cast(:names as text[])) p(name)
    cross join lateral (
        select count(*) filter (where deleted_at is null and slot_of is null) as number,
            count(*) as looked
        from (select deleted_at, slot_of from connection where provider = p.name
              order by external_id limit :most) c) c
    """
_OF_ONE = """
    select provider as name, count(*) filter (where deleted_at is null and slot = '') as number,
        count(*) as looked
    from (select provider, slot, deleted_at from connection where organization_id = :organization_id
          order by provider, external_id, slot limit :most) c
    group by 1
    """


def of_everybody(db: Db, names: Sequence[str]) -> Mapping[str, ProviderCount]:
    """Returns the living connections of these providers."""
    guessed = {row.provider: round(row.number) for row in run(db, _ESTIMATES)}
    counted, read = [], 0
    for name in sorted(names, key=lambda one: guessed.get(one, 0)):
        rows = min(MOST_COUNTED, guessed.get(name, 0))
        if guessed.get(name, 0) <= MANY and read + rows <= MOST_READ:
            counted.append(name)
            read += rows
    found = {
        row.name: ProviderCount(row.number, row.looked >= MOST_COUNTED)
        for row in run(db, _COUNTS, names=counted, most=MOST_COUNTED)
    }
    return {name: _count(found.get(name), guessed.get(name, 0)) for name in names}


def of_organization(db: Db, organization_id: str) -> Mapping[str, ProviderCount]:
    """Returns those of one organization: of its first 10,001 connections."""
    found = run(db, _OF_ONE, organization_id=organization_id, most=MOST_COUNTED).all()
    is_cut = sum(row.looked for row in found) >= MOST_COUNTED
    return {row.name: ProviderCount(row.number, is_cut) for row in found if row.number}


def _count(counted: ProviderCount | None, guessed: int) -> ProviderCount:
    if counted is None or counted.is_about:
        least = counted.number if counted else 0
        return ProviderCount(max(guessed, least), is_about=True)
    return counted
