"""The tables `recipient` and `organization`: who is told, how, and what messages know of them.

An operator is a recipient without organization (stored as the empty one, so that it is unique).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import text
from uuid_utils.compat import uuid7


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who is told. `choices` maps kinds to immediate, digest or none."""

    id: UUID
    organization_id: str | None
    address: str
    choices: dict[str, str]
    blocked_at: datetime | None
    blocked_reason: str | None


@dataclass(frozen=True, slots=True)
class Organization:
    """What messages know of an organization."""

    id: str
    name: str | None
    reconnect_url: str | None


_COLUMNS = (
    "r.id, nullif(r.organization_id, '') as organization_id, r.address, r.choices, "
    "r.blocked_at, r.blocked_reason"
)
_ONE = (
    "r.id = :id and "
    "(cast(:organization_id as text) is null or r.organization_id = :organization_id)"
)


def add(
    db: Db, organization_id: str | None, address: str, choices: Mapping[str, str]
) -> tuple[Recipient, bool]:
    """Stores a recipient, or changes the choices of the one that is there; True for a new one.

    One that was blocked is not any more, and mails that were refused for it go out again.
    """
    statement = text(
        f"""
        insert into recipient as r (id, organization_id, address, choices)
        values (:id, coalesce(:organization_id, ''), :address, cast(:choices as jsonb))
        on conflict (organization_id, address) do update
        set choices = r.choices || excluded.choices, blocked_at = null, blocked_reason = null
        returning {_COLUMNS}, xmax = 0 as is_new
        """  # noqa: S608  our own column names
    )
    values = {
        "id": uuid7(),
        "organization_id": organization_id,
        "address": address,
        "choices": json.dumps(dict(choices)),
    }
    row = dict(db.execute(statement, values).mappings().one())
    is_new = row.pop("is_new")
    if not is_new:
        db.execute(
            text(
                "update mail set state = 0, due_at = refresher_now(), attempt = 0, ended_at = null "
                "where recipient_id = :id and state = 3"
            ),
            {"id": row["id"]},
        )
    return Recipient(**row), is_new


def remove(db: Db, organization_id: str | None, address: str) -> UUID | None:
    """Deletes a recipient and what was still to be told; returns its id, None when there is none."""
    statement = text(
        "delete from recipient "
        "where organization_id = coalesce(:organization_id, '') and address = :address returning id"
    )
    values = {"organization_id": organization_id, "address": address}
    found: UUID | None = db.execute(statement, values).scalar_one_or_none()
    return found


def every(
    db: Db, organization_id: str | None = None, *, operators: bool = False
) -> Sequence[Recipient]:
    """Returns recipients: all, an organization's, or the operators."""
    wanted = "" if operators else organization_id
    statement = text(
        f"select {_COLUMNS} from recipient r "  # noqa: S608  our own column names
        "where cast(:wanted as text) is null or r.organization_id = :wanted "
        "order by r.organization_id, r.address"
    )
    return [Recipient(**row) for row in db.execute(statement, {"wanted": wanted}).mappings()]


def of(db: Db, organizations: Collection[str | None]) -> Sequence[Recipient]:
    """Returns who hears of these organizations' news (None: operators), without the blocked ones."""
    statement = text(
        f"select {_COLUMNS} from recipient r "  # noqa: S608  our own column names
        "where r.organization_id = any(cast(:ids as text[])) and r.blocked_at is null order by r.id"
    )
    ids = [organization or "" for organization in organizations]
    return [Recipient(**row) for row in db.execute(statement, {"ids": ids}).mappings()]


def set_organization(
    db: Db, organization_id: str, changes: Mapping[str, str | None]
) -> Organization:
    """Stores what messages know of an organization; a field that is not in `changes` stays."""
    statement = text(
        """
        insert into organization as o (id, name, reconnect_url) values (:id, :name, :reconnect_url)
        on conflict (id) do update set updated_at = refresher_now(),
            name = case when :has_name then excluded.name else o.name end,
            reconnect_url = case when :has_url then excluded.reconnect_url else o.reconnect_url end
        returning id, name, reconnect_url
        """
    )
    values = {
        "id": organization_id,
        "name": changes.get("name"),
        "reconnect_url": changes.get("reconnect_url"),
        "has_name": "name" in changes,
        "has_url": "reconnect_url" in changes,
    }
    return Organization(**db.execute(statement, values).mappings().one())


def page(
    db: Db,
    only: Sequence[str | None],
    *,
    after: tuple[str, str] | None = None,
    limit: int,
) -> Sequence[Recipient]:
    """Returns recipients by organization and address, those behind `after`.

    All of `only` must be the recipient's organization ("" for operators); None is any.
    """
    statement = text(
        f"""
        select {_COLUMNS} from recipient r
        where r.organization_id = all(array_remove(cast(:only as text[]), null))
          and (cast(:after_organization as text) is null
               or (r.organization_id, r.address) > (:after_organization, :after_address))
        order by r.organization_id, r.address limit :limit
        """  # noqa: S608  our own column names
    )
    organization, address = after or (None, None)
    values = {
        "only": list(only),
        "after_organization": organization,
        "after_address": address,
        "limit": limit,
    }
    return [Recipient(**row) for row in db.execute(statement, values).mappings()]


def find(db: Db, recipient_id: UUID, organization_id: str | None) -> Recipient | None:
    """Returns one recipient, of this organization where one is given, or None."""
    statement = text(f"select {_COLUMNS} from recipient r where {_ONE}")  # noqa: S608  our own names
    values = {"id": recipient_id, "organization_id": organization_id}
    row = db.execute(statement, values).mappings().first()
    return Recipient(**row) if row else None


def choose(
    db: Db, recipient_id: UUID, organization_id: str | None, choices: Mapping[str, str | None]
) -> Recipient | None:
    """Changes the choices that are named, None going back to what holds for all; None: no recipient."""
    statement = text(
        f"""
        update recipient r set choices = jsonb_strip_nulls(r.choices || cast(:choices as jsonb))
        where {_ONE} returning {_COLUMNS}
        """  # noqa: S608  our own column names
    )
    values = {
        "id": recipient_id,
        "organization_id": organization_id,
        "choices": json.dumps(dict(choices)),
    }
    row = db.execute(statement, values).mappings().first()
    return Recipient(**row) if row else None


def drop(db: Db, recipient_id: UUID, organization_id: str | None) -> Recipient | None:
    """Deletes a recipient and what was still to be told, and returns it; None when there is none."""
    statement = text(f"delete from recipient r where {_ONE} returning {_COLUMNS}")  # noqa: S608
    values = {"id": recipient_id, "organization_id": organization_id}
    row = db.execute(statement, values).mappings().first()
    return Recipient(**row) if row else None


def organization(db: Db, organization_id: str, only: str | None) -> Organization | None:
    """Returns what was set for an organization, or None; also where it is not the `only` one."""
    statement = text(
        "select id, name, reconnect_url from organization "
        "where id = :id and (cast(:only as text) is null or id = :only)"
    )
    row = db.execute(statement, {"id": organization_id, "only": only}).mappings().first()
    return Organization(**row) if row else None


def organization_page(
    db: Db, only: str | None, *, after: str | None, limit: int
) -> Sequence[Organization]:
    """Returns the organizations that something was set for, in the order of their ids."""
    statement = text(
        """
        select id, name, reconnect_url from organization
        where (cast(:only as text) is null or id = :only)
          and (cast(:after as text) is null or id > :after)
        order by id limit :limit
        """
    )
    values = {"only": only, "after": after, "limit": limit}
    return [Organization(**row) for row in db.execute(statement, values).mappings()]


def organizations(db: Db) -> Sequence[Organization]:
    """Returns all organizations that something was set for."""
    names = ", ".join(f.name for f in fields(Organization))
    statement = text(f"select {names} from organization order by id")  # noqa: S608  our own names
    return [Organization(**row) for row in db.execute(statement).mappings()]
