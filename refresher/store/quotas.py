"""How many things an organization may have, counted in the transaction that adds one more."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from refresher.errors import QuotaReached
from refresher.store.session import Db, run


class Limited(StrEnum):
    """What has a quota; its value is the end of the setting's name."""

    CONNECTIONS = "connections"
    WEBHOOKS = "webhooks"
    RECIPIENTS = "recipients"
    LINKS = "links"
    SESSIONS = "sessions"


_COUNTED = {
    Limited.CONNECTIONS: (
        "select 1 from connection "
        "where organization_id = :id and deleted_at is null and slot_of is null"
    ),
    Limited.WEBHOOKS: "select 1 from webhook_endpoint where organization_id = :id",
    Limited.RECIPIENTS: "select 1 from recipient where organization_id = :id",
    Limited.LINKS: (
        "select 1 from resume_link l join connection c on c.id = l.connection_id "
        "where c.organization_id = :id and l.used_at is null and l.withdrawn_at is null "
        "and l.expires_at > refresher_now()"
    ),
    Limited.SESSIONS: (
        "select 1 from connect_session where organization_id = :id and ended_at is null"
    ),
}


_WAY_OUT = {Limited.SESSIONS: "cancel one that is open, or let it end,"}


@dataclass(frozen=True, slots=True)
class Quota:
    """How many of a kind an organization may have; `most` 0 is no limit, nor have operators one."""

    kind: Limited
    organization_id: str | None
    most: int

    def room(self, db: Db) -> float:
        """Returns how many more there may be, -1 where there are too many already.

        Who adds at the same time waits for this transaction.
        """
        if not self.most or self.organization_id is None:
            return inf
        lock = "select pg_advisory_xact_lock(hashtext(:kind), hashtext(:id))"
        run(db, lock, kind=f"quota {self.kind}", id=self.organization_id)
        # Never more than the quota is read: whoever has many pays no more.
        limited = f"select count(*) from ({_COUNTED[self.kind]} limit :most + 1) counted"  # noqa: S608  our own words
        found = run(db, limited, id=self.organization_id, most=self.most)
        return self.most - int(found.scalar_one())

    def keep(self, room: float, added: int = 1) -> None:
        """Raises `QuotaReached` for more than there was room for."""
        if added > max(room, 0):
            raise self.reached()

    def reached(self) -> QuotaReached:
        """Returns what is raised."""
        return QuotaReached(
            f'organization "{self.organization_id}" may have {self.most:,} {self.kind} '
            f"(REFRESHER_QUOTA_{self.kind.upper()}): {_WAY_OUT.get(self.kind, 'delete one')} first"
        )
