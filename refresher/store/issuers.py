"""The table `issuer`: what authorization servers say of themselves, kept and dated."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from refresher.store.session import Db, first, many, run


@dataclass(frozen=True, slots=True)
class KeptIssuer:
    """What is kept of one issuer.

    `proposed` is what it says now, where tokens would go to hosts that they never went to. `trouble` is
    why the last look failed; `document` is what counts meanwhile, as of `read_at`. Those that a connect
    session named have a `slug`, which is their provider's name, and how our client proves itself there.
    """

    issuer: str
    document: dict[str, Any] | None
    read_at: datetime | None
    asked_at: datetime
    trouble: str | None
    proposed: dict[str, Any] | None
    slug: str | None = None
    client_auth: str | None = None


_COLUMNS = "issuer, document, read_at, asked_at, trouble, proposed, slug, client_auth"


def find(db: Db, issuer: str) -> KeptIssuer | None:
    """Returns what is kept of an issuer."""
    sql = f"select {_COLUMNS} from issuer where issuer = :issuer"  # noqa: S608  columns of ours
    return first(db, KeptIssuer, sql, issuer=issuer)


def of_slug(db: Db, slug: str) -> KeptIssuer | None:
    """Returns what is kept of the issuer whose provider is called so."""
    sql = f"select {_COLUMNS} from issuer where slug = :slug"  # noqa: S608  columns of ours
    return first(db, KeptIssuer, sql, slug=slug)


def without_entry(db: Db, *, most: int = 10_000) -> Sequence[KeptIssuer]:
    """Returns the issuers that no entry names, and where we have a client."""
    sql = f"""
        select {_COLUMNS} from issuer
        where exists (select 1 from app where app.provider = issuer.slug)
        order by issuer limit :most
        """  # noqa: S608  columns of ours
    return many(db, KeptIssuer, sql, most=most)


def resources(db: Db, *, most: int) -> list[tuple[str, str, str]]:
    """Returns slug, issuer and resource of servers that living connections are for."""
    sql = """
        select distinct i.slug, i.issuer, c.placeholders->>'resource' as resource
        from issuer i join connection c on c.provider = i.slug
        where c.deleted_at is null and c.placeholders->>'resource' <> ''
        order by 1, 3 limit :most
        """
    return [(row[0], row[1], row[2]) for row in run(db, sql, most=most)]


def discovered(
    db: Db, issuer: str, document: Mapping[str, object], slug: str, client_auth: str
) -> None:
    """Stores an issuer that a connect session named, and how our client proves itself there."""
    sql = """
        insert into issuer (issuer, document, read_at, asked_at, slug, client_auth)
        values (:issuer, cast(:document as jsonb), refresher_now(), refresher_now(), :slug, :auth)
        on conflict (issuer) do update set slug = excluded.slug, client_auth = excluded.client_auth,
            document = coalesce(issuer.document, excluded.document),
            read_at = coalesce(issuer.read_at, excluded.read_at)
        """
    run(db, sql, issuer=issuer, document=json.dumps(document), slug=slug, auth=client_auth)


def claim(
    db: Db, issuers: Collection[str], *, keep_seconds: float, retry_seconds: float
) -> Sequence[KeptIssuer]:
    """Returns those that are to be asked now, and marks them, so that one process asks."""
    sql = f"""
        insert into issuer (issuer, asked_at)
        select unnest(cast(:issuers as text[])), refresher_now()
        on conflict (issuer) do update set asked_at = refresher_now()
        where issuer.asked_at <= refresher_now() - interval '1 second' * (case
            when issuer.document is not null and issuer.trouble is null then cast(:keep as float8)
            else cast(:retry as float8) end)
        returning {_COLUMNS}
        """
    named = sorted(set(issuers))
    return many(db, KeptIssuer, sql, issuers=named, keep=keep_seconds, retry=retry_seconds)


def keep(db: Db, issuer: str, document: Mapping[str, object]) -> None:
    """Stores what an issuer says."""
    sql = (
        "update issuer set document = cast(:document as jsonb), read_at = refresher_now(), "
        "trouble = null, proposed = null where issuer = :issuer"
    )
    run(db, sql, issuer=issuer, document=json.dumps(document))


def propose(db: Db, issuer: str, document: Mapping[str, object], why: str) -> None:
    """Stores what an issuer says beside what counts, until somebody confirms it."""
    sql = (
        "update issuer set proposed = cast(:document as jsonb), trouble = :why "
        "where issuer = :issuer"
    )
    run(db, sql, issuer=issuer, document=json.dumps(document), why=why)


def failed(db: Db, issuer: str, why: str) -> None:
    """Notes why an issuer could not be read; what is kept stays in use."""
    run(db, "update issuer set trouble = :why where issuer = :issuer", issuer=issuer, why=why)


def confirm(db: Db, issuer: str) -> KeptIssuer | None:
    """Has what was proposed count from now on; None where nothing was."""
    sql = f"""
        update issuer set document = proposed, proposed = null, trouble = null,
            read_at = refresher_now()
        where issuer = :issuer and proposed is not null returning {_COLUMNS}
        """  # noqa: S608  columns of ours
    return first(db, KeptIssuer, sql, issuer=issuer)
