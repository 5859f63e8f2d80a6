"""How many rows are leased, in all and by provider: what the dispatch may still hand over."""

from __future__ import annotations

from refresher.store.session import Db, one, run

# A row that is older than this column learns its provider when it is claimed.
PROVIDER = (
    "coalesce(s.provider, (select c.provider from connection c where c.id = s.connection_id))"
)
"""The provider of the schedule row `s`."""
BEGUN = "s.state = 1 and s.begun_token = s.lease_token"
"""Whether the schedule row `s` is leased and its refresh has begun."""


def leased_by_provider(db: Db) -> dict[str, int]:
    """Returns how many rows each provider has in flight."""
    sql = (
        f"select {PROVIDER}, count(*) from refresh_schedule s "  # noqa: S608  our own column names
        "where s.state = 1 group by 1"
    )
    return {row[0]: row[1] for row in run(db, sql)}


def leased_count(db: Db, *, at_most: int) -> int:
    """Returns how many rows are leased, counted no further than `at_most`."""
    sql = "select count(*) from (select 1 from refresh_schedule where state = 1 limit :n) leased"
    return one(db, int, sql, n=at_most)
