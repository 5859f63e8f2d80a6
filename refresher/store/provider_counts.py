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
MOST_READ = 50_000
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
_COUNTS = """
    select p.name, (select count(*) from (
        select 1 from connection c where c.provider = p.name and c.deleted_at is null
            and c.slot_of is null limit :most) c) as number
    from unnest(cast(:names as text[])) p(name)
    """
_OF_ONE = """
    select provider as name, count(*) as number from (
        select provider from connection
        where organization_id = :organization_id and deleted_at is null and slot_of is null
        order by provider limit :most) c
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
    found = {row.name: row.number for row in run(db, _COUNTS, names=counted, most=MOST_COUNTED)}
    return {name: _count(found.get(name), guessed.get(name, 0)) for name in names}


def of_organization(db: Db, organization_id: str) -> Mapping[str, ProviderCount]:
    """Returns those of one organization: of its first 10,001 connections."""
    found = run(db, _OF_ONE, organization_id=organization_id, most=MOST_COUNTED).all()
    is_cut = sum(row.number for row in found) >= MOST_COUNTED
    return {row.name: ProviderCount(row.number, is_cut) for row in found}


def _count(counted: int | None, guessed: int) -> ProviderCount:
    if counted is None or counted >= MOST_COUNTED:
        return ProviderCount(max(guessed, counted or 0), is_about=True)
    return ProviderCount(counted, is_about=False)
