"""What a revocation at the provider needs: the grant's tokens, sealed, and the app they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from refresher.rules.connection import App, Sealed
from refresher.store.session import Db, run


@dataclass(frozen=True, slots=True)
class GrantSeen:
    """A connection's grant as stored. A sibling has none of its own."""

    connection_id: UUID
    provider: str
    host: str | None
    access_token: Sealed | None
    refresh_token: Sealed | None
    app: App | None
    placeholders: Mapping[str, str] | None = None


def grant(db: Db, connection_id: UUID, organization_id: str | None) -> GrantSeen | None:
    """Returns the grant of a connection, a deleted one too."""
    sql = """
        select c.provider, c.host, c.placeholders, c.access_token, c.refresh_token,
            a.id as app_id, a.client_id, a.client_secret
        from connection c
        left join app a on a.provider = c.provider and a.name = c.app_name
        where c.id = :id
          and (cast(:organization as text) is null or c.organization_id = :organization)
        """
    row = run(db, sql, id=connection_id, organization=organization_id).first()
    if row is None:
        return None
    app = None if row.app_id is None else App(row.app_id, row.client_id, _sealed(row.client_secret))
    access, refresh = _sealed(row.access_token), _sealed(row.refresh_token)
    return GrantSeen(connection_id, row.provider, row.host, access, refresh, app, row.placeholders)


def _sealed(value: object) -> Sealed | None:
    return None if value is None else Sealed(bytes(value))  # type: ignore[call-overload]
