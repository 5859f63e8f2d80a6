"""The tables `recipient` and `organization`: who is told, how, and what messages know of them.

An operator is a recipient without organization (stored as the empty one, so that it is unique).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.rules.mails import Choice
from refresher.rules.words import MOST_COUNTED
from refresher.store.session import Db, first, many, one, run


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who is told. `choices` maps kinds to immediate, digest or none."""

    id: UUID
    organization_id: str | None
    address: str
    choices: dict[str, Choice]
    blocked_at: datetime | None
    blocked_reason: str | None


@dataclass(frozen=True, slots=True)
class Organization:
    """What messages and consents know of an organization."""

    id: str
    name: str | None
    reconnect_url: str | None
    return_urls: list[str] = field(default_factory=list)


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
    sql = f"""
        insert into recipient as r (id, organization_id, address, choices)
        values (:id, coalesce(:organization_id, ''), :address, cast(:choices as jsonb))
        on conflict (organization_id, address) do update
        set choices = r.choices || excluded.choices, blocked_at = null, blocked_reason = null
        returning {_COLUMNS}, xmax = 0 as is_new
        """  # noqa: S608  our own column names
    row = dict(
        run(
            db,
            sql,
            id=uuid7(),
            organization_id=organization_id,
            address=address,
            choices=json.dumps(dict(choices)),
        )
        .mappings()
        .one()
    )
    is_new = row.pop("is_new")
    if not is_new:
        run(
            db,
            "update mail set state = 0, due_at = refresher_now(), attempt = 0, ended_at = null "
            "where recipient_id = :id and state = 3",
            id=row["id"],
        )
    return Recipient(**row), is_new


def of(db: Db, organizations: Collection[str | None]) -> Sequence[Recipient]:
    """Returns who hears of these organizations' news (None: operators), without the blocked ones."""
    sql = (
        f"select {_COLUMNS} from recipient r "  # noqa: S608  our own column names
        "where r.organization_id = any(cast(:ids as text[])) and r.blocked_at is null order by r.id"
    )
    ids = [organization or "" for organization in organizations]
    return many(db, Recipient, sql, ids=ids)


def set_organization(
    db: Db,
    organization_id: str,
    changes: Mapping[str, str | None],
    *,
    return_urls: Sequence[str] | None = None,
) -> Organization:
    """Stores what is known of an organization; a field that is not given stays."""
    sql = """
        insert into organization as o (id, name, reconnect_url, return_urls)
        values (:id, :name, :reconnect_url, coalesce(cast(:return_urls as text[]), '{}'))
        on conflict (id) do update set updated_at = refresher_now(),
            name = case when :has_name then excluded.name else o.name end,
            reconnect_url = case when :has_url then excluded.reconnect_url else o.reconnect_url end,
            return_urls = coalesce(cast(:return_urls as text[]), o.return_urls)
        returning id, name, reconnect_url, return_urls
        """
    return one(
        db,
        Organization,
        sql,
        id=organization_id,
        name=changes.get("name"),
        reconnect_url=changes.get("reconnect_url"),
        return_urls=None if return_urls is None else list(return_urls),
        has_name="name" in changes,
        has_url="reconnect_url" in changes,
    )


def page(
    db: Db,
    only: Sequence[str | None] = (),
    *,
    after: tuple[str, str] = ("", ""),
    limit: int | None = None,
) -> Sequence[Recipient]:
    """Returns recipients by organization and address, those behind `after`.

    All of `only` must be the recipient's organization ("" for operators); None is any.
    """
    wanted = {one for one in only if one is not None}
    if len(wanted) > 1:
        return []
    # Of one organization, its part of the index is read and no more.
    own = "r.organization_id = :own and" if wanted else ""
    sql = f"""
        select {_COLUMNS} from recipient r
        where {own} (r.organization_id, r.address) > (:organization, :address)
        order by r.organization_id, r.address limit :limit
        """  # noqa: S608  our own column names
    organization, address = after
    values = {"own": next(iter(wanted), None), "organization": organization, "address": address}
    return many(db, Recipient, sql, **values, limit=limit)


def blocked(
    db: Db,
    organization_id: str | None = None,
    *,
    after: tuple[str, str] = ("", ""),
    limit: int,
) -> Sequence[Recipient]:
    """Returns recipients whose address a mail server refused, by organization and address."""
    own = "r.organization_id = :own and" if organization_id is not None else ""
    sql = f"""
        select {_COLUMNS} from recipient r
        where {own} r.blocked_at is not null
          and (r.organization_id, r.address) > (:organization, :address)
        order by r.organization_id, r.address limit :limit
        """  # noqa: S608  our own column names
    organization, address = after
    values = {"own": organization_id, "organization": organization, "address": address}
    return many(db, Recipient, sql, **values, limit=limit)


@dataclass(frozen=True, slots=True)
class Told:
    """How many are told and how many addresses were refused, counted up to `MOST_COUNTED`.

    `has_page`: whether any organization has a page of its own to reconnect.
    """

    known: int
    refused: int
    has_page: bool


def told(db: Db, organization_id: str | None = None) -> Told:
    """Returns it, of one organization ("" for operators) or of all; reads no more than is counted."""
    own = "organization_id = :own" if organization_id is not None else "true"
    sql = f"""
        select (select count(*) from (
                select from recipient where {own} limit :most) r) as known,
            (select count(*) from (
                select from recipient where {own} and blocked_at is not null
                order by organization_id, address limit :most) r) as refused,
            exists(select from organization where reconnect_url is not null) as has_page
        """  # noqa: S608  our own condition
    return one(db, Told, sql, own=organization_id, most=MOST_COUNTED)


def find(db: Db, recipient_id: UUID, organization_id: str | None) -> Recipient | None:
    """Returns one recipient, of this organization where one is given, or None."""
    sql = f"select {_COLUMNS} from recipient r where {_ONE}"  # noqa: S608  our own names
    return first(db, Recipient, sql, id=recipient_id, organization_id=organization_id)


def choose(
    db: Db, recipient_id: UUID, organization_id: str | None, choices: Mapping[str, str | None]
) -> Recipient | None:
    """Changes the choices that are named, None going back to what holds for all; None: no recipient."""
    sql = f"""
        update recipient r set choices = jsonb_strip_nulls(r.choices || cast(:choices as jsonb))
        where {_ONE} returning {_COLUMNS}
        """  # noqa: S608  our own column names
    return first(
        db,
        Recipient,
        sql,
        id=recipient_id,
        organization_id=organization_id,
        choices=json.dumps(dict(choices)),
    )


def drop(
    db: Db,
    organization_id: str | None,
    *,
    recipient_id: UUID | None = None,
    address: str | None = None,
) -> Recipient | None:
    """Deletes a recipient and what was still to be told, and returns it; None when there is none.

    By its id, in any organization where none is given, or by its address in this one.
    """
    sql = f"""
        delete from recipient r
        where {_ONE} or r.address = :address and r.organization_id = coalesce(:organization_id, '')
        returning {_COLUMNS}
        """  # noqa: S608  our own column names
    values = {"id": recipient_id, "organization_id": organization_id, "address": address}
    return first(db, Recipient, sql, **values)


def organization(db: Db, organization_id: str, only: str | None) -> Organization | None:
    """Returns what was set for an organization, or None; also where it is not the `only` one."""
    sql = (
        "select id, name, reconnect_url, return_urls from organization "
        "where id = :id and (cast(:only as text) is null or id = :only)"
    )
    return first(db, Organization, sql, id=organization_id, only=only)


def organizations(
    db: Db, only: str | None = None, *, after: str = "", limit: int | None = None
) -> Sequence[Organization]:
    """Returns the organizations that something was set for, in the order of their ids."""
    sql = """
        select id, name, reconnect_url, return_urls from organization
        where (cast(:only as text) is null or id = :only) and id > :after
        order by id limit :limit
        """
    return many(db, Organization, sql, only=only, after=after, limit=limit)
