"""What a promotion reads and writes beside the upsert of `registration.py`: accounts, and old grants.

Whoever calls has locked the session before. docs/consents.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from uuid import UUID

from refresher.rules.accounts import Account
from refresher.rules.connection import Sealed, Status
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


def forget_other_account(db: Db, connection_id: UUID) -> None:
    """Forgets what is stored of the account before: kept fields, and the tokens beside the main one.

    What the new grant brings is stored after this; a refresh that is under way is fenced.
    """
    kept = "update connection set kept_fields = null, kept_secrets = null where id = :id"
    run(db, kept, id=connection_id)
    slots = """
        update connection set access_token = null, refresh_token = null, expires_at = null,
            kept_fields = null, kept_secrets = null,
            credential_version = credential_version + 1, grant_number = grant_number + 1
        where slot_of = :id
        """
    run(db, slots, id=connection_id)


def note_account(db: Db, connection_id: UUID, account: str | None, label: str | None) -> None:
    """Stores whose account a connection is."""
    sql = "update connection set account = :account, account_label = :label where id = :id"
    run(db, sql, id=connection_id, account=account, label=label)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A connection whose account nobody knows, with a token by which the provider may tell."""

    id: UUID
    organization_id: str
    provider: str
    app_name: str
    host: str | None
    placeholders: Mapping[str, str] | None
    access_token: Sealed
    kept_fields: Mapping[str, object] | None


def without_account(
    db: Db,
    providers: Sequence[str],
    organization_id: str | None,
    *,
    after: UUID | None,
    limit: int,
) -> list[Unknown]:
    """Returns connections without an account whose token lives for a minute at least, by their ids."""
    names = ", ".join(f.name for f in fields(Unknown))
    sql = f"""
        select {names} from connection
        where account is null and provider = any(cast(:providers as text[]))
          and (cast(:organization as text) is null or organization_id = :organization)
          and deleted_at is null and disabled_at is null and root_id is null and slot_of is null
          and access_token is not null and status = 'active'
          and (expires_at is null or expires_at > refresher_now() + interval '1 minute')
          and (cast(:after as uuid) is null or id > :after)
        order by id limit :limit
        """  # noqa: S608  our own column names
    given = {"providers": list(providers), "organization": organization_id}
    return many(db, Unknown, sql, **given, after=after, limit=limit)


def learn(db: Db, learned: Mapping[UUID, Account]) -> int:
    """Stores accounts that were learned, unless they are known meanwhile; returns how many."""
    sql = """
        update connection c set account = u.account, account_label = u.label
        from unnest(cast(:ids as uuid[]), cast(:accounts as text[]), cast(:labels as text[]))
            u(id, account, label)
        where c.id = u.id and c.account is null
        """
    accounts = [account.id for account in learned.values()]
    labels = [account.label for account in learned.values()]
    return run(db, sql, ids=list(learned), accounts=accounts, labels=labels).rowcount
