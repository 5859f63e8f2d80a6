"""What the tables of messages, `mail` and `webhook_delivery`, have in common: the right to send one.

In both a row is leased in state 1, begun while `begun_token` is its `lease_token`, and due in state 0.
So it is in the schedule, whose leased rows are counted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from refresher.store.session import Db, one, run
from refresher.store.words import PROVIDER

MessageTable = Literal["mail", "webhook_delivery"]
_ID_TYPES = {"mail": "uuid", "webhook_delivery": "bigint"}


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send one message, named by a lease token that only grows."""

    id: UUID | int
    lease_token: int
    form: str = ""
    """Of a mail: plain or digest."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Messages that may go, in their turns, and when to claim again; None: nothing waits.

    Each batch is to be handed over apart, so that none waits for another's.
    """

    batches: Sequence[Sequence[Lease]]
    again_in_seconds: float | None

    @property
    def all(self) -> list[Lease]:
        """The leases of all batches."""
        return [lease for batch in self.batches for lease in batch]


def release(
    db: Db, table: MessageTable, leases: Sequence[Lease], *, due_in_seconds: float = 0.0
) -> int:
    """Gives leases back that will not be begun: due so soon, nothing counted."""
    sql = f"""
        update {table} d set state = 0, lease_until = null,
            due_at = refresher_now() + :seconds * interval '1 second'
        from unnest(cast(:ids as {_ID_TYPES[table]}[]), cast(:tokens as bigint[])) u(id, token)
        where d.id = u.id and d.lease_token = u.token and d.state + 0 = 1
          and d.begun_token <> d.lease_token
        """  # noqa: S608  our own names
    return run(db, sql, **arrays(leases), seconds=due_in_seconds).rowcount


def release_unbegun(db: Db, table: MessageTable) -> int:
    """Makes every message due that was handed over and not begun: the hints are gone."""
    sql = (
        f"update {table} set state = 0, lease_until = null "  # noqa: S608  our own names
        "where state = 1 and begun_token <> lease_token"
    )
    return run(db, sql).rowcount


def arrays(leases: Sequence[Lease]) -> dict[str, object]:
    """Returns the parameters `ids` and `tokens` of a statement on many leases."""
    return {"ids": [each.id for each in leases], "tokens": [each.lease_token for each in leases]}


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
