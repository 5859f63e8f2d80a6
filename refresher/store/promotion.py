"""What a promotion reads and writes beside the upsert of `registration.py`: accounts, and old grants.

Whoever calls has locked the session before. docs/connect.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from refresher.rules.connection import Status
from refresher.rules.promoting import Stored
from refresher.store.session import Db, first, many, run


@dataclass(frozen=True, slots=True)
class Target:
    """A connection that a consent is for, as stored; its row is ours until the transaction ends."""

    id: UUID
    external_id: str
    app_name: str
    host: str | None
    account: str | None
    account_label: str | None
    status: str
    has_refresh_token: bool
    disabled: bool
    deleted: bool
    is_sibling: bool

    @property
    def stored(self) -> Stored | None:
        """What of it counts for a verdict; nothing of one that was deleted."""
        if self.deleted:
            return None
        return Stored(
            account=self.account,
            account_label=self.account_label,
            app_name=self.app_name,
            host=self.host,
            has_refresh_token=self.has_refresh_token,
            needs_reconnect=self.status == Status.RECONNECT_REQUIRED,
        )


def locked(db: Db, connection_id: UUID) -> Target | None:
    """Returns the connection of this id, None where there is none."""
    sql = """
        select id, external_id, app_name, host, account, account_label, status,
            refresh_token is not null as has_refresh_token, disabled_at is not null as disabled,
            deleted_at is not null as deleted, root_id is not null as is_sibling
        from connection where id = :id for no key update
        """
    return first(db, Target, sql, id=connection_id)


def drop_refresh_token(db: Db, connection_id: UUID) -> None:
    """Forgets the refresh token of a grant that is another's now, and of its slots (C23)."""
    sql = """
        update connection set refresh_token = null, refresh_token_expires_at = null,
            grant_ends_at = null
        where id = :id or slot_of = :id
        """
    run(db, sql, id=connection_id)


def note_account(db: Db, connection_id: UUID, account: str | None, label: str | None) -> None:
    """Stores whose account a connection is."""
    sql = "update connection set account = :account, account_label = :label where id = :id"
    run(db, sql, id=connection_id, account=account, label=label)


def without_account(
    db: Db, providers: Sequence[str], *, after: UUID | None, limit: int
) -> list[UUID]:
    """Returns connections whose account nobody knows, and whose token lives for a minute at least."""
    sql = """
        select id from connection
        where account is null and provider = any(cast(:providers as text[]))
          and deleted_at is null and disabled_at is null and root_id is null and slot_of is null
          and access_token is not null and status = 'active'
          and (expires_at is null or expires_at > refresher_now() + interval '1 minute')
          and (cast(:after as uuid) is null or id > :after)
        order by id limit :limit
        """
    return many(db, UUID, sql, providers=list(providers), after=after, limit=limit)


def learn(db: Db, learned: Mapping[UUID, tuple[str, str | None]]) -> int:
    """Stores accounts that were learned, unless they are known meanwhile; returns how many."""
    sql = """
        update connection c set account = u.account, account_label = u.label
        from unnest(cast(:ids as uuid[]), cast(:accounts as text[]), cast(:labels as text[]))
            u(id, account, label)
        where c.id = u.id and c.account is null
        """
    found = run(
        db,
        sql,
        ids=list(learned),
        accounts=[account for account, _ in learned.values()],
        labels=[label for _, label in learned.values()],
    )
    return found.rowcount
