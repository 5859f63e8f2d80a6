"""The table `kept_answer`: answers that arrived and could not be read, sealed.

An answer gets here in the transaction that settles its attempt. Where the table does not take it, that
transaction is undone, and its rows are settled one by one (`commit.py`): who brought no answer is
stored, and an answer that may be a grant goes to the spool. Once it is read its body is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

import psycopg

from refresher.errors import RefresherError
from refresher.rules.connection import Sealed
from refresher.store.refusals import Nature, driver_error, is_passing, nature_of, sentence
from refresher.store.session import Db, conditions, first, many, run

PLACE = "answer"
"""What a sealed body is bound to, beside its connection."""
MOST_OF_ONE = 5
"""So many answers of one connection are kept; those that look like a grant before others."""


class AnswersNotKept(RefresherError):
    """The table of kept answers does not take one; what else was to be written is not to blame."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it is kept, beside its attempt (`lease_token`) and the pair that was sent."""

    id: UUID
    connection_id: UUID
    lease_token: int
    credential_version: int
    grant_number: int
    received_at: datetime
    http_status: int
    failure: str | None
    content_type: str
    content_encoding: str
    reason: str
    looks_like_grant: bool
    bytes: int
    body: Sealed | None


@dataclass(frozen=True, slots=True)
class AnswerView:
    """A kept answer as it is shown: whose, when, why; never what stands in it."""

    id: UUID
    connection_id: UUID
    organization_id: str
    provider: str
    external_id: str
    received_at: datetime
    attempt: int
    credential_version: int
    http_status: int
    failure: str | None
    content_type: str
    content_encoding: str
    bytes: int
    looks_like_grant: bool
    reason: str
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class AnswerWithBody:
    """A kept answer with its body, its provider, and the connection's last known life of a token."""

    answer: KeptAnswer
    provider: str
    lifetime_seconds: float | None


_COLUMNS = tuple(f.name for f in fields(KeptAnswer))
_VIEW = (
    "select k.id, k.connection_id, c.organization_id, c.provider, c.external_id, k.received_at, "
    "k.lease_token as attempt, k.credential_version, k.http_status, k.failure, k.content_type, "
    "k.content_encoding, k.bytes, k.looks_like_grant, k.reason, k.read_at "
    "from kept_answer k join connection c on c.id = k.connection_id"
)
_PUT = (
    f"insert into kept_answer ({', '.join(_COLUMNS)}) "  # noqa: S608  our own names
    f"values ({', '.join(f':{name}' for name in _COLUMNS)}) on conflict (id) do nothing"
)
_FORGET = """
    delete from kept_answer k using (
        select id, row_number() over (partition by connection_id
            order by (body is not null and looks_like_grant) desc, received_at desc) as place
        from kept_answer where connection_id = any(cast(:ids as uuid[]))
    ) o where k.id = o.id and o.place > :most
    """


def put(db: Db, kept: Sequence[KeptAnswer]) -> None:
    """Keeps answers. Raises `AnswersNotKept` where the table refuses, else `DBAPIError`."""
    if not kept:
        return
    try:
        for answer in kept:
            run(db, _PUT, **asdict(answer))
        run(db, _FORGET, ids=[a.connection_id for a in kept], most=MOST_OF_ONE)
    except Exception as error:
        cause = driver_error(error)
        is_of_driver = isinstance(cause, psycopg.Error)
        if not is_of_driver or nature_of(error) is Nature.AWAY or is_passing(error):
            raise
        why = f"an answer that was not read cannot be kept: {sentence(error)}"
        raise AnswersNotKept(why) from error


def stored(db: Db, kept: Sequence[KeptAnswer]) -> set[UUID]:
    """Returns the connections of those answers that are here already."""
    if not kept:
        return set()
    sql = "select connection_id from kept_answer where id = any(cast(:ids as uuid[]))"
    return set(many(db, UUID, sql, ids=[answer.id for answer in kept]))


def unread(db: Db, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Returns the answer that is kept for each of these connections' present pairs, if any."""
    sql = """
        select distinct on (k.connection_id) k.connection_id, k.id
        from kept_answer k join connection c on c.id = k.connection_id
        where k.connection_id = any(cast(:ids as uuid[])) and k.body is not null
          and k.grant_number = c.grant_number and k.credential_version = c.credential_version
        order by k.connection_id, k.looks_like_grant desc, k.received_at desc
        """
    return {row.connection_id: row.id for row in run(db, sql, ids=list(ids))}


def page(
    db: Db,
    organization_id: str | None = None,
    *,
    provider: str | None = None,
    connection_id: UUID | None = None,
    unread_only: bool = False,
    after: UUID | None = None,
    limit: int = 50,
) -> list[AnswerView]:
    """Returns kept answers, the newest first; `organization_id` None: of every one."""
    given = {
        "c.organization_id = :organization_id": organization_id,
        "c.provider = :provider": provider,
        "k.connection_id = :connection_id": connection_id,
        "k.id < :after": after,
        "k.body is not null": unread_only or None,
    }
    sql = f"{_VIEW} where {conditions(given)} order by k.id desc limit :limit"
    return many(
        db,
        AnswerView,
        sql,
        organization_id=organization_id,
        provider=provider,
        connection_id=connection_id,
        after=after,
        limit=limit,
    )


def show(db: Db, answer_id: UUID, organization_id: str | None = None) -> AnswerView | None:
    """Returns one kept answer, or None where there is none of this organization."""
    given = {"k.id = :id": answer_id, "c.organization_id = :organization_id": organization_id}
    sql = f"{_VIEW} where {conditions(given)}"
    return first(db, AnswerView, sql, id=answer_id, organization_id=organization_id)


def take(db: Db, answer_id: UUID) -> AnswerWithBody | None:
    """Returns one answer with its body, and locks it; None where there is none, or it is read."""
    columns = ", ".join(f"k.{name}" for name in _COLUMNS)
    sql = (
        f"select {columns}, c.provider, c.lifetime_seconds from kept_answer k "  # noqa: S608
        "join connection c on c.id = k.connection_id "
        "where k.id = :id and k.body is not null for update of k"
    )
    row = run(db, sql, id=answer_id).mappings().first()
    if row is None:
        return None
    kept = {name: row[name] for name in _COLUMNS}
    return AnswerWithBody(KeptAnswer(**kept), row["provider"], row["lifetime_seconds"])


def mark_read(db: Db, answer_id: UUID) -> None:
    """Forgets the body of an answer: what was in it is stored."""
    sql = "update kept_answer set read_at = refresher_now(), body = null where id = :id"
    run(db, sql, id=answer_id)


def forget_old(db: Db, *, days: float) -> int:
    """Deletes what has been kept for so many days; returns how many answers that were."""
    sql = (
        "delete from kept_answer where received_at < refresher_now() - :days * interval '1 day' "
        "returning id"
    )
    return len(run(db, sql, days=days).all())
